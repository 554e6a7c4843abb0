package torch_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
)

func TestSumOverRanksAndItsGradient(t *testing.T) {
	torchtest.Together(t, 3, func(s *torch.Scope, g *torch.Group) error {
		r := float32(g.Rank())
		x := s.FromFloat32([]float32{1 + r, 10}, 2).SetRequiresGrad(true)
		sum := g.Sum(x)
		if got := sum.Float32s(); !slices.Equal(got, []float32{6, 30}) {
			t.Errorf("rank %v: the sum is %v", r, got)
		}
		// The losses are (rank+1) times the sum: together 6 times.
		sum.Sum().Mul(float64(r + 1)).Backward()
		if got := x.Grad(s).Float32s(); !slices.Equal(got, []float32{6, 6}) {
			t.Errorf("rank %v: the gradient is %v", r, got)
		}
		return nil
	})
}

func TestRowsOfRanksAreJoined(t *testing.T) {
	torchtest.Together(t, 2, func(s *torch.Scope, g *torch.Group) error {
		own := s.FromInt64([]int64{int64(g.Rank()), 7}, 1, 2)
		if got := g.Gather(own).Int64s(); !slices.Equal(got, []int64{0, 7, 1, 7}) {
			t.Errorf("gathered %v", got)
		}
		// Rank 0 has two rows of three, rank 1 the last.
		rows := s.Full(float64(g.Rank()+1), torch.Float32, 2-g.Rank(), 1).SetRequiresGrad(true)
		all := g.Assemble(rows, 2*g.Rank(), 3)
		if got := all.Float32s(); !slices.Equal(got, []float32{1, 1, 2}) {
			t.Errorf("assembled %v", got)
		}
		all.Mul(all).Sum().Backward()
		if got, want := rows.Grad(s).Float32s(), rows.Mul(2).Float32s(); !slices.Equal(got, want) {
			t.Errorf("gradient %v, want %v", got, want)
		}
		value := s.Full(float64(5+g.Rank()), torch.Float32, 1)
		g.Broadcast(value)
		any, err := g.Any(s, g.Rank() == 1)
		if value.Item() != 5 || !any || err != nil {
			t.Errorf("broadcast %v, any %v, %v", value.Item(), any, err)
		}
		return nil
	})
}

// TestReducerAddsGradientsUp takes two backward passes over four parameters,
// the last of which no pass uses, and the third rank 1's alone.
func TestReducerAddsGradientsUp(t *testing.T) {
	torchtest.Together(t, 2, func(s *torch.Scope, g *torch.Group) error {
		var p []*torch.Tensor
		for _, n := range []int{3, 8 << 20, 2, 1} { // the second fills a bucket
			p = append(p, s.Ones(torch.Float32, n).SetRequiresGrad(true))
		}
		r := g.NewReducer(s, p)
		defer r.Free()
		for range 2 {
			for _, x := range p {
				x.SetGrad(nil)
			}
			first := p[0].Sum().Mul(2)
			if g.Rank() == 1 {
				first = first.Add(p[2].Sum())
			}
			first.Backward()
			last := p[0].Sum().Add(p[1].Sum().Mul(float64(g.Rank() + 1)))
			r.Arm(last)
			last.Backward()
			if early := r.Finish(); early != 3 {
				t.Errorf("%d of 3 buckets were sent during the backward pass", early)
			}
			for i, want := range []float64{6, 3, 1} {
				grad := p[i].Grad(s)
				if grad == nil || grad.Min().Item() != want || grad.Max().Item() != want {
					t.Errorf("rank %d: gradient %d is not %v", g.Rank(), i, want)
				}
			}
			if p[3].Grad(s) != nil {
				t.Error("a parameter that nobody used has a gradient")
			}
		}
		// Not armed, all is sent afterwards.
		p[0].Sum().Backward()
		if early := r.Finish(); early != 0 || p[0].Grad(s).Max().Item() != 14 {
			t.Errorf("%d early, gradient %v", early, p[0].Grad(s).Max().Item())
		}
		return nil
	})
}

func TestAFailedSumNamesTheOperation(t *testing.T) {
	const int16 = torch.DType(2) // which Gloo does not add up; bool it does in new versions
	torchtest.Together(t, 2, func(s *torch.Scope, g *torch.Group) error {
		err := s.Run(func(c *torch.Scope) error {
			g.Sum(c.Zeros(int16, 2))
			return nil
		})
		if op := (*torch.OpError)(nil); !errors.As(err, &op) || op.Op != "sum over ranks" || !strings.Contains(err.Error(), "dtype(2)[2]") {
			t.Errorf("%v", err)
		}
		return nil
	})
}

func TestAProcessAloneIsItsWholeGroup(t *testing.T) {
	lib := torchtest.Load(t)
	g, err := lib.Join(torch.Launch{}, torch.CPU, time.Second)
	if g != nil || err != nil || g.Size() != 1 || g.Rank() != 0 {
		t.Fatalf("%v, %v", g, err)
	}
	if err := lib.Run(torch.CPU, func(s *torch.Scope) error {
		x := s.Ones(torch.Float32, 2)
		if g.Sum(x) != x || g.Assemble(x, 0, 2) != x || g.NewReducer(s, nil).Finish() != 0 {
			t.Error("a sum over one rank is another tensor")
		}
		g.Leave(nil)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestJoiningAloneEndsInTime(t *testing.T) {
	lib := torchtest.Load(t)
	if _, err := lib.Join(torch.Launch{Rank: 1, Ranks: 2, Host: "127.0.0.1", Port: 1}, torch.CPU, time.Second); err == nil || !strings.Contains(err.Error(), "rank 1 of 2: meet the others at 127.0.0.1:1: rank 0 has not come in 1s: dial tcp 127.0.0.1:1") {
		t.Errorf("%v", err)
	}
}

// TestJoiningAnotherProgramEnds: one that takes connections and is silent, speaks
// first, or resets them. A thread of libtorch's own may meet its answer, and end the
// process, so each is tried by one.
func TestJoiningAnotherProgramEnds(t *testing.T) {
	if port, err := strconv.Atoi(os.Getenv("JOIN_PORT")); err == nil {
		lib, err := torch.Load("")
		if err != nil {
			t.Fatal(err)
		}
		if _, err = lib.Join(torch.Launch{Rank: 1, Ranks: 2, Host: "127.0.0.1", Port: port}, torch.CPU, 2*time.Second); err == nil {
			t.Fatal("joined")
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for name, answer := range map[string]func(*net.TCPConn) error{
		"silent": func(*net.TCPConn) error { return nil },
		"speaks": func(c *net.TCPConn) error {
			_, err := c.Write([]byte("SSH-2.0-OpenSSH_9.2p1\r\n"))
			return err
		},
		"resets": func(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) },
	} {
		t.Run(name, func(t *testing.T) {
			other, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			go func() {
				for {
					c, err := other.AcceptTCP()
					if err != nil {
						return
					}
					defer c.Close()
					_ = answer(c) // the joining side may have gone
				}
			}()
			join := exec.Command(os.Args[0], "-test.run=^TestJoiningAnotherProgramEnds$")
			join.Env = append(os.Environ(), "JOIN_PORT="+strconv.Itoa(other.Addr().(*net.TCPAddr).Port))
			said, err := join.CombinedOutput()
			if join.ProcessState.ExitCode() != 1 || !strings.Contains(string(said), "rank 1 of 2: meet the others at 127.0.0.1:") {
				t.Errorf("%v: %s", err, said)
			}
		})
	}
}
