package train

import (
	"fmt"

	"github.com/pipa-uda/pipa/train/feed"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/pipa-uda/pipa/train/network"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/weights"
)

// begin makes the student, and the teacher where there is one, what network.init
// has. The heads of losses, which are the recipe's, stay as they begin.
func (t *trainer) begin() error {
	from, err := infer.Open(t.cfg.Network.Init)
	if err != nil {
		return err
	}
	if err := feed.SameClasses(from.Name, from.State.Classes, "the source", t.names); err != nil {
		return err
	}
	if err := beginAs(from, false, t.method.StudentStore); err != nil || t.method.TeacherStore == nil {
		return err
	}
	// Without a teacher of its own the student is it, batch norms included, which
	// no average copies.
	t.method.EMA.Trained = from.HasTeacher()
	return beginAs(from, from.HasTeacher(), t.method.TeacherStore)
}

// beginAs sets a store's network. It is strict, and the error of what does not fit
// a *[weights.Misfit].
func beginAs(from infer.Trained, teacher bool, store *nn.Store) error {
	tensors, err := from.Weights(teacher)
	if err != nil {
		return err
	}
	var want []weights.Want
	for _, e := range store.Entries() {
		if network.IsHead(e.Name) {
			continue
		}
		w := weights.Want{Name: e.Name}
		for _, n := range e.Tensor.Shape() {
			w.Shape = append(w.Shape, int(n))
		}
		want = append(want, w)
	}
	f := &weights.File{Path: from.Dir, Network: weights.Describe(tensors, "pipa's"), Student: tensors}
	if _, err := f.Fit("", want); err != nil {
		return err
	}
	for _, part := range network.Parts() {
		fitting, err := f.Fit(part, want)
		if err != nil {
			return err
		}
		if err := store.LoadPart(part, fitting); err != nil {
			return fmt.Errorf("%s: %w", from.Dir, err)
		}
	}
	return nil
}
