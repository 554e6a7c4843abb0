package torch

import (
	"strings"
	"testing"
)

func TestLaunchIsWhatTheLauncherSays(t *testing.T) {
	for _, c := range []struct {
		name, env string
		want      Launch
		err       string
	}{
		{"alone", "", Launch{}, ""},
		{"torchrun", "RANK=3 WORLD_SIZE=4 LOCAL_RANK=1 MASTER_ADDR=a MASTER_PORT=29500 TORCHELASTIC_RESTART_COUNT=2 TORCHELASTIC_USE_AGENT_STORE=True",
			Launch{Rank: 3, Ranks: 4, Local: 1, Host: "a", Port: 29500, Attempt: "attempt 2"}, ""},
		{"torchrun's own store, rank 0", "RANK=0 WORLD_SIZE=2 LOCAL_RANK=0 MASTER_ADDR=a MASTER_PORT=29500 TORCHELASTIC_USE_AGENT_STORE=True",
			Launch{Rank: 0, Ranks: 2, Host: "a", Port: 29500, Attempt: "attempt "}, ""},
		{"kubeflow", "RANK=0 WORLD_SIZE=2 MASTER_ADDR=job-master-0 MASTER_PORT=23456", Launch{Rank: 0, Ranks: 2, Host: "job-master-0", Port: 23456, Serve: true, Attempt: "attempt "}, ""},
		{"one rank", "RANK=0 WORLD_SIZE=1 MASTER_ADDR=a MASTER_PORT=1", Launch{}, ""},
		{"slurm", "SLURM_PROCID=5 SLURM_NTASKS=8 SLURM_LOCALID=1 SLURM_STEP_NODELIST=gpu[03-05,7],head SLURM_JOB_ID=1234567", Launch{Rank: 5, Ranks: 8, Local: 1, Host: "gpu03", Port: 24567, Attempt: "attempt "}, ""},
		{"slurm with an address", "SLURM_PROCID=0 SLURM_NTASKS=2 SLURM_LOCALID=0 SLURM_STEP_ID=0 SLURM_JOB_NODELIST=n1,n2 MASTER_ADDR=n2 MASTER_PORT=5000", Launch{Rank: 0, Ranks: 2, Host: "n2", Port: 5000, Serve: true, Attempt: "attempt "}, ""},
		{"slurm, hosts by name", "SLURM_PROCID=1 SLURM_NTASKS=2 SLURM_LOCALID=0 SLURM_STEP_ID=0 SLURM_JOB_NODELIST=n1,n2 SLURM_JOB_ID=1", Launch{Rank: 1, Ranks: 2, Host: "n1", Port: 20001, Attempt: "attempt "}, ""},
		{"slurm, one task", "SLURM_PROCID=0 SLURM_NTASKS=1 SLURM_JOB_NODELIST=n1", Launch{}, ""},
		{"slurm, a step of fewer tasks than the job", "SLURM_PROCID=1 SLURM_NTASKS=8 SLURM_STEP_NUM_TASKS=2 SLURM_STEP_NODELIST=n1 SLURM_JOB_ID=1", Launch{Rank: 1, Ranks: 2, Host: "n1", Port: 20001, Attempt: "attempt "}, ""},
		{"slurm, the shell of salloc", "SLURM_PROCID=0 SLURM_NTASKS=4 SLURM_STEP_ID=4294967290 SLURM_STEP_NUM_TASKS=1 SLURM_STEP_NODELIST=n1", Launch{}, ""},
		{"slurm, a batch script without srun", "SLURM_PROCID=0 SLURM_NTASKS=4 SLURM_LOCALID=0 SLURM_JOB_NODELIST=n1 SLURM_JOB_ID=1", Launch{}, "SLURM_NTASKS is 4, but srun has not started this process"},
		{"rank too high", "RANK=2 WORLD_SIZE=2 MASTER_ADDR=a MASTER_PORT=1", Launch{}, `RANK is "2", want a number from 0 to 1`},
		{"no size", "RANK=0 MASTER_ADDR=a MASTER_PORT=1", Launch{}, `WORLD_SIZE is ""`},
		{"no address", "RANK=0 WORLD_SIZE=2 MASTER_PORT=1", Launch{}, "MASTER_ADDR"},
		{"no port", "RANK=0 WORLD_SIZE=2 MASTER_ADDR=a", Launch{}, `MASTER_PORT is ""`},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := map[string]string{}
			for _, v := range strings.Fields(c.env) {
				name, value, _ := strings.Cut(v, "=")
				env[name] = value
			}
			got, err := LaunchFrom(func(name string) string { return env[name] })
			if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func FuzzFirstHost(f *testing.F) {
	for _, list := range []string{"gpu[03-05,7],head", "a,b", "n1", "[", "a[1", "]["} {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, list string) {
		if host := firstHost(list); len(host) > len(list) || strings.Contains(host, ",") {
			t.Errorf("first host of %q is %q", list, host)
		}
	})
}
