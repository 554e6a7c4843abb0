package precompute

import "testing"

func TestScheduledShare(t *testing.T) {
	for name, c := range map[string]struct {
		env       map[string]string
		want      Share
		scheduled bool
		fails     bool
	}{
		"no scheduler":         {nil, Whole, false, false},
		"an Indexed Job":       {map[string]string{"JOB_COMPLETION_INDEX": "1", "PIPA_SHARDS": "3"}, Share{1, 3}, true, false},
		"a Slurm array":        {map[string]string{"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_COUNT": "3"}, Share{2, 3}, true, false},
		"a Job without shares": {map[string]string{"JOB_COMPLETION_INDEX": "1"}, Whole, false, false},
		"an array from 1 to 3": {map[string]string{"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "3"}, Share{}, true, true},
	} {
		got, scheduled, err := ScheduledShare(func(name string) string { return c.env[name] })
		if (err != nil) != c.fails || scheduled != c.scheduled || err == nil && got != c.want {
			t.Errorf("%s: %v, %v, %v", name, got, scheduled, err)
		}
	}
}
