package uda

import (
	"fmt"

	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// A Teacher follows a student by an exponential moving average of its
// parameters. Buffers are never copied: the teacher's batch norms see its own
// batches (lhoyer/DAFormer mmseg/models/uda/dacs.py, _update_ema).
type Teacher struct {
	teacher, student []*torch.Tensor
	scope            *torch.Scope
	momentum         float64

	// Trained says that the teacher begins as one that has been trained, which
	// follows its student by the whole momentum from the first step on.
	Trained bool
}

// NewTeacher pairs the parameters of a teacher's store with their namesakes of
// the student's, which may have more, and takes the teacher's out of autograd.
func NewTeacher(scope *torch.Scope, teacher, student *nn.Store, momentum float64) (*Teacher, error) {
	t := &Teacher{scope: scope, momentum: momentum}
	for _, e := range teacher.Parameters() {
		s := student.Get(e.Name)
		if s == nil {
			return nil, fmt.Errorf("teacher: the student has no %s", e.Name)
		}
		t.teacher = append(t.teacher, e.Tensor)
		t.student = append(t.student, s)
	}
	teacher.Freeze()
	return t, nil
}

// Update runs at the start of an iteration, counted from 0, with the student
// as the last step left it: at iteration 0 the teacher becomes a copy, later
//
//	teacher = a·teacher + (1-a)·student,  a = min(1 - 1/(iteration+1), momentum)
//
// A [Teacher.Trained] one stays what it is at iteration 0, and a is the momentum.
func (t *Teacher) Update(iteration int) error {
	a := min(1-1/float64(iteration+1), t.momentum)
	switch {
	case t.Trained && iteration == 0: // there was no step yet to follow
		return nil
	case t.Trained:
		a = t.momentum
	}
	return t.scope.NoGrad(func(c *torch.Scope) error {
		if iteration == 0 {
			for i, teacher := range t.teacher {
				teacher.In(c).CopyInPlace(t.student[i])
			}
			return nil
		}
		// All at once: on a GPU a kernel for each of a thousand parameters costs
		// more than its arithmetic.
		c.CallInPlace("_foreach_mul_.Scalar", t.teacher, a)
		c.CallInPlace("_foreach_add_.List", t.teacher, t.student, 1-a)
		return nil
	})
}
