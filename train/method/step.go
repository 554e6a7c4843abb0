package method

import (
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/loss"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/uda"
)

// Look says what a step is watched for; none of it changes a number.
type Look struct {
	Probe   bool // the norm of each loss's gradient in the encoder, which takes a backward pass for each
	Picture bool // the images it learns from
}

// Step loads an iteration's batches, of which target and pairs may be nil, makes
// its draws and adds up the gradients in the student's parameters. After an error
// they have none.
func (m *Method) Step(source, target, pairs *pipeline.Batch, iteration int, look Look) (v Values, err error) {
	if err := m.root.Lib().Seed(m.key(iteration, "device").Uint64()); err != nil {
		return v, err
	}
	err = m.root.Run(func(s *torch.Scope) error {
		in, err := Load(s, source, target, pairs)
		if err != nil {
			return err
		}
		if m.group != nil { // alone, the host has them all without asking the device
			in.Source.Labels = m.group.Gather(in.Source.Label.To(torch.Uint8)).Bytes()
		}
		v, err = m.Gradients(s, in, m.Draw(in, iteration), iteration, look)
		return err
	})
	if err != nil {
		m.Forget()
	}
	return v, err
}

// Gradients is the method, in its order. The gradients of the losses add up over
// the phases, and over the ranks, during the last.
func (m *Method) Gradients(s *torch.Scope, in Inputs, d Draws, iteration int, look Look) (Values, error) {
	if m.EMA != nil {
		if err := m.EMA.Update(iteration); err != nil {
			return Values{}, err
		}
	}
	st := m.Begin(s, in, d, look)
	phases := st.Phases()
	for i, p := range phases {
		if err := p.run(i == len(phases)-1); err != nil {
			return Values{}, err
		}
	}
	m.reducer.Finish()
	// A loss that is not a number must not reach the weights, so that this waits for
	// the device before the update: the step's one wait.
	if err := st.values.read(m.group); err != nil {
		return Values{}, err
	}
	return *st.values, st.keepNegatives()
}

// A Step is one iteration under way.
type Step struct {
	*Method
	scope  *torch.Scope // of the whole step
	in     Inputs
	draws  Draws
	look   Look
	values *Values

	pseudo    uda.PseudoLabels // of the target, once the teacher has labeled it
	negatives *loss.BankEntry  // of this step's crop pairs, once they are contrasted
}

// Begin is a step before its first phase.
func (m *Method) Begin(s *torch.Scope, in Inputs, d Draws, look Look) *Step {
	return &Step{Method: m, scope: s, in: in, draws: d, look: look, values: newValues(s)}
}

// A Phase is a part of a step, at whose end nothing is held but what the step
// keeps.
type Phase struct {
	Name   string
	Pixels func(c config.Config) int // of an image it sees
	run    func(last bool) error
}

// Run runs a phase for itself, of which those before it have run.
func (p Phase) Run() error { return p.run(false) }

// Phases are the step's, in the method's order. The last one has a loss.
func (st *Step) Phases() []Phase {
	target := st.in.Target != nil
	phases := []Phase{st.learn("source losses", crop, st.source)}
	if target {
		phases = append(phases, Phase{"pseudo-labels", crop, st.label}, st.learn("mixed loss", crop, st.mixed))
	}
	if st.cfg.Masked.Weight > 0 && (target || !st.cfg.Adapt.Enabled) {
		phases = append(phases, st.learn("masked loss", crop, st.masked))
	}
	if st.in.Pairs != nil {
		phases = append(phases, st.learn("patch loss", pairCrop, st.contrastPatches))
	}
	return phases
}

// What phases see.
func crop(c config.Config) int     { return c.Source.Crop[0] * c.Source.Crop[1] }
func pairCrop(c config.Config) int { return c.Patch.Crop * c.Patch.Crop }

// learn is a phase with a backward pass of its terms' sum.
func (st *Step) learn(name string, pixels func(config.Config) int, terms func(c *torch.Scope) ([]loss.Term, error)) Phase {
	return Phase{name, pixels, func(last bool) error {
		return st.scope.Run(func(c *torch.Scope) error {
			list, err := terms(c)
			if err == nil {
				st.backward(list, last)
			}
			return err
		})
	}}
}
