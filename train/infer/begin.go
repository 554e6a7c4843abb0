package infer

import (
	"fmt"

	"github.com/pipa-uda/pipa/train/feed"
	"github.com/pipa-uda/pipa/train/network"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/weights"
)

// Begin makes a student, and its teacher where that is not nil, what is trained, whose
// classes are to be the source's. The heads of losses, which are the recipe's, stay as
// they begin. averaged reports whether the teacher is one of its own: else it is the
// student.
func (t Trained) Begin(student, teacher *nn.Store, classes []string) (averaged bool, err error) {
	if err := feed.SameClasses(t.Name, t.State.Classes, "the source", classes); err != nil {
		return false, err
	}
	if err := t.beginAs(false, student); err != nil || teacher == nil {
		return false, err
	}
	return t.HasTeacher(), t.beginAs(t.HasTeacher(), teacher)
}

// beginAs sets a store's network. It is strict, and the error of what does not fit
// a *[weights.Misfit].
func (t Trained) beginAs(teacher bool, store *nn.Store) error {
	tensors, err := t.Weights(teacher)
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
	f := &weights.File{Path: t.Dir, Network: weights.Describe(tensors, "pipa's"), Student: tensors}
	if _, err := f.Fit("", want); err != nil {
		return err
	}
	for _, part := range network.Parts() {
		fitting, err := f.Fit(part, want)
		if err != nil {
			return err
		}
		if err := store.LoadPart(part, fitting); err != nil {
			return fmt.Errorf("%s: %w", t.Dir, err)
		}
	}
	return nil
}
