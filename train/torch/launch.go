package torch

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// A Launch is this process's place among those of a run, as the program that
// started them says it. The zero Launch is a process alone.
type Launch struct {
	Rank, Ranks int // Ranks is 0 for a process alone
	Local       int // rank among the processes of this host
	Host        string
	Port        int
	// Serve is set where this process keeps the store that the ranks meet at:
	// on rank 0, unless the launcher keeps one itself, as torchrun does.
	Serve   bool
	Attempt string // of the launcher; keeps a restart apart from what came before
	// Beat is the time between a rank's signs of life; 0 means a second. One that
	// has given none for 15 beats is taken for dead.
	Beat time.Duration
}

// LaunchFrom reads the environment variables that torchrun, Kubeflow's training
// operator and Slurm's srun set: RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and
// MASTER_PORT (https://pytorch.org/docs/stable/elastic/run.html), or SLURM_PROCID,
// SLURM_STEP_NUM_TASKS and SLURM_LOCALID (https://slurm.schedmd.com/srun.html), where
// the address is that of the step's first host, and the port made of the job's
// number, unless MASTER_ADDR and MASTER_PORT say otherwise. Without any of them
// the process is alone.
func LaunchFrom(getenv func(string) string) (Launch, error) {
	names := [3]string{"RANK", "WORLD_SIZE", "LOCAL_RANK"}
	host, port := getenv("MASTER_ADDR"), getenv("MASTER_PORT")
	if getenv("RANK") == "" && getenv("WORLD_SIZE") == "" {
		names = [3]string{"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID"}
		if getenv(names[1]) == "" { // as of an old srun, or of a batch script's shell
			names[1] = "SLURM_NTASKS"
		}
		if n := getenv(names[1]); n == "" || n == "1" || getenv("SLURM_PROCID") == "" {
			return Launch{}, nil
		}
		if names[1] == "SLURM_NTASKS" && getenv("SLURM_STEP_ID") == "" && getenv("SLURM_STEP_NODELIST") == "" {
			return Launch{}, fmt.Errorf("environment: SLURM_NTASKS is %s, but srun has not started this process, and nobody starts the other ranks: start it with srun, or alone with SLURM_NTASKS=1", getenv("SLURM_NTASKS"))
		}
		if host == "" {
			host = firstHost(getenv("SLURM_STEP_NODELIST"))
		}
		if host == "" {
			host = firstHost(getenv("SLURM_JOB_NODELIST"))
		}
		if id, err := strconv.Atoi(getenv("SLURM_JOB_ID")); err == nil && port == "" {
			port = strconv.Itoa(20000 + id%10000)
		}
	}
	var l Launch
	number := func(name, text string, to *int, least, most int) error {
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most {
			return fmt.Errorf("environment: %s is %q, want a number from %d to %d", name, text, least, most)
		}
		*to = n
		return nil
	}
	if err := number(names[1], getenv(names[1]), &l.Ranks, 1, 1<<16); err != nil {
		return Launch{}, err
	}
	if err := number(names[0], getenv(names[0]), &l.Rank, 0, l.Ranks-1); err != nil {
		return Launch{}, err
	}
	if l.Ranks == 1 {
		return Launch{}, nil
	}
	if local := getenv(names[2]); local != "" {
		if err := number(names[2], local, &l.Local, 0, l.Ranks-1); err != nil {
			return Launch{}, err
		}
	}
	if host == "" {
		return Launch{}, fmt.Errorf("environment: %d ranks, but MASTER_ADDR does not say where they meet: set it to rank 0's host", l.Ranks)
	}
	if err := number("MASTER_PORT", port, &l.Port, 1, 65535); err != nil {
		return Launch{}, err
	}
	l.Host, l.Attempt = host, "attempt "+getenv("TORCHELASTIC_RESTART_COUNT")
	l.Serve = l.Rank == 0 && getenv("TORCHELASTIC_USE_AGENT_STORE") != "True"
	return l, nil
}

// firstHost is the first of a Slurm host list, such as "gpu[03-05,7],head".
func firstHost(list string) string {
	i := strings.IndexAny(list, ",[")
	if i < 0 || list[i] == ',' {
		first, _, _ := strings.Cut(list, ",")
		return first
	}
	numbers, rest, closed := strings.Cut(list[i+1:], "]")
	if !closed {
		return ""
	}
	number := numbers[:len(numbers)-len(strings.TrimLeft(numbers, "0123456789"))]
	suffix, _, _ := strings.Cut(rest, ",")
	return list[:i] + number + suffix
}

// Alone reports whether there are no other ranks.
func (l Launch) Alone() bool { return l.Ranks <= 1 }

// Address is where the ranks meet.
func (l Launch) Address() string { return net.JoinHostPort(l.Host, strconv.Itoa(l.Port)) }

// listening returns once something listens where the ranks meet, or an error after
// timeout: rank 0 may start minutes later, and its host may have no name before.
func (l Launch) listening(timeout time.Duration) (err error) {
	if l.Serve {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	for {
		connection, failed := new(net.Dialer).DialContext(ctx, "tcp", l.Address())
		if failed == nil {
			return connection.Close()
		}
		if ctx.Err() == nil {
			err = failed
		}
		select {
		case <-ctx.Done():
			if err == nil {
				err = ctx.Err()
			}
			return fmt.Errorf("rank 0 has not come in %v: %w", timeout, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
