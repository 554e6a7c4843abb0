package precompute

import "fmt"

// A Share is every Of-th shard of a plan from the Index-th on: what one of Of
// processes makes.
type Share struct{ Index, Of int }

// Whole is all shards.
var Whole = Share{0, 1}

// ParseShare reads "i/n".
func ParseShare(text string) (Share, error) {
	var s Share
	if k, err := fmt.Sscanf(text, "%d/%d", &s.Index, &s.Of); k != 2 || err != nil || s.Of < 1 || s.Index < 0 || s.Index >= s.Of || text != s.String() {
		return s, fmt.Errorf("share %q, want i/n with i from 0 to n-1", text)
	}
	return s, nil
}

func (s Share) String() string { return fmt.Sprintf("%d/%d", s.Index, s.Of) }

// ScheduledShare is the share that a scheduler has given this process, by the
// variables of its environment: an Indexed Job's completion index (with the Job's
// completions in PIPA_SHARDS), or a Slurm array's task. Elsewhere it is false.
func ScheduledShare(getenv func(string) string) (s Share, scheduled bool, err error) {
	for _, e := range [][2]string{{"JOB_COMPLETION_INDEX", "PIPA_SHARDS"}, {"SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"}} {
		if index, of := getenv(e[0]), getenv(e[1]); index != "" && of != "" {
			if s, err = ParseShare(index + "/" + of); err != nil {
				return s, true, fmt.Errorf("%s of %s: %w", e[0], e[1], err)
			}
			return s, true, nil
		}
	}
	return Whole, false, nil
}
