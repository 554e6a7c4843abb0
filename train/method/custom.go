package method

import (
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/network"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// Custom is what a program brings of its own; the zero value is nothing. The
// configuration has the names of it all ([Custom.Name]), so that a run is not
// continued with something else.
type Custom struct {
	Encoder network.Encoder // instead of the configuration's; nil leaves that
	Losses  []Loss          // of source images, beside the recipe's
}

// A Loss is a loss of source images that a program brings, before it has
// parameters. What decides its numbers, such as its weight, belongs in its name.
type Loss interface {
	Name() string
	// New makes the loss of a student's passes. The parameters of its heads, where
	// it has any, lie under p: they are trained at the heads' rate, and whoever
	// predicts passes them over.
	New(p nn.Path, student *network.Network, classes int) (SourceLoss, error)
}

// Name puts the names of what the program brings into a configuration.
func (c Custom) Name(cfg *config.Config) {
	if c.Encoder != nil {
		cfg.Network.Encoder = config.Custom(c.Encoder.Name())
	}
	if names := c.losses(); len(names) > 0 {
		cfg.Losses = names
	}
}

func (c Custom) losses() (names []string) {
	for _, l := range c.Losses {
		names = append(names, l.Name())
	}
	return names
}

// check fails unless the losses are those that the configuration names.
func (c Custom) check(cfg config.Config) error {
	names := c.losses()
	if slices.Equal(names, cfg.Losses) {
		return nil
	}
	want := "none, as the program passes none: who trains with such losses has them in its own code"
	if len(names) > 0 {
		want = "those that the program passes: " + strings.Join(names, ", ")
	}
	return &config.ValueError{Field: "losses", Value: cfg.Losses, Want: want}
}

// Group is the ranks that train together, of whose batch this one has a part; nil
// is this process alone.
func (m *Method) Group() *torch.Group { return m.group }
