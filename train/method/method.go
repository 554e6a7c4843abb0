package method

import (
	"fmt"
	"strings"

	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/loss"
	"github.com/pipa-uda/pipa/train/model"
	"github.com/pipa-uda/pipa/train/network"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/uda"
	"github.com/pipa-uda/pipa/train/weights"
)

// A Method is networks with what they learn by. What a recipe does not use is nil.
type Method struct {
	Student, Teacher *network.Network
	// Stores of the networks. The student's has its losses' heads too; the teacher
	// and the frozen encoder have none.
	StudentStore, TeacherStore, FrozenStore *nn.Store
	EMA                                     *uda.Teacher           // makes the teacher follow the student
	Bank                                    loss.Bank              // of the patch contrast
	Judge                                   *model.PixelClassifier // of the pixel contrast, as the released code has it

	cfg     config.Config
	classes int
	root    *torch.Scope
	group   *torch.Group   // the ranks that train together; nil is this process alone
	reducer *torch.Reducer // of the student's gradients

	sourceLosses []SourceLoss // beside the cross entropy, in their order
	patch        *patchContrast
}

// New makes and initializes a method in scope. The initialization draws from the
// default generator.
func New(scope *torch.Scope, cfg config.Config, classes int, custom Custom) (*Method, error) {
	architecture, err := network.Of(cfg.Network, custom.Encoder)
	if err != nil {
		return nil, err
	}
	if err := custom.check(cfg); err != nil {
		return nil, err
	}
	m := &Method{cfg: cfg, classes: classes, root: scope, StudentStore: nn.NewStore(scope)}
	heads := m.StudentStore.Root()
	if m.Student, err = architecture.New(heads, classes); err != nil {
		return nil, err
	}
	if cfg.Network.Weights != "" {
		if err := loadEncoder(m.StudentStore, cfg.Network.Weights); err != nil {
			return nil, err
		}
	}
	var distance *featureDistance
	if cfg.FeatureDistance.Weight > 0 {
		m.FrozenStore = nn.NewStore(scope)
		if distance, err = newFeatureDistance(architecture.Encoder, m.FrozenStore, m.StudentStore); err != nil {
			return nil, err
		}
	}
	if cfg.Pixel.Weight > 0 {
		pixel := newPixelContrast(heads, cfg.Pixel, m.Student.Shape(), classes)
		m.sourceLosses, m.Judge = append(m.sourceLosses, pixel), pixel.judge
	}
	if distance != nil {
		m.sourceLosses = append(m.sourceLosses, distance)
	}
	for _, spec := range custom.Losses {
		l, err := spec.New(heads.Sub("loss_heads").Sub(spec.Name()), m.Student, classes)
		if err != nil {
			return nil, fmt.Errorf("loss %s: %w", spec.Name(), err)
		}
		m.sourceLosses = append(m.sourceLosses, l)
	}
	if cfg.Patch.Weight > 0 {
		m.patch = newPatchContrast(heads, cfg, m.Student, classes)
	}
	if !cfg.Adapt.Enabled {
		return m, nil
	}
	m.TeacherStore = nn.NewStore(scope)
	if m.Teacher, err = architecture.New(m.TeacherStore.Root(), classes); err != nil {
		return nil, err
	}
	m.EMA, err = uda.NewTeacher(scope, m.TeacherStore, m.StudentStore, cfg.Adapt.EMA)
	return m, err
}

// loadEncoder sets backbone.* from a file of published weights. It is strict:
// every encoder parameter must be there in the right shape and finite, and
// nothing else but a classification head.
func loadEncoder(store *nn.Store, path string) error {
	f, err := weights.Open(path)
	if err != nil {
		return fmt.Errorf("network.weights: %w", err)
	}
	var want []weights.Want
	for _, e := range store.Entries() {
		w := weights.Want{Name: e.Name}
		for _, n := range e.Tensor.Shape() {
			w.Shape = append(w.Shape, int(n))
		}
		want = append(want, w)
	}
	encoder, err := f.Fit("backbone.", want)
	if err != nil {
		return fmt.Errorf("network.weights: %w", err)
	}
	if bad, err := weights.NonFinite(encoder); err != nil {
		return err
	} else if len(bad) > 0 {
		return fmt.Errorf("network.weights: %s has values that are not finite, in %s", path, strings.Join(bad, ", "))
	}
	if err := store.LoadPart("backbone.", encoder); err != nil {
		return fmt.Errorf("network.weights: %s: %w", path, err)
	}
	return nil
}

// Stores are the networks' stores that there are.
func (m *Method) Stores() []*nn.Store {
	var all []*nn.Store
	for _, s := range []*nn.Store{m.StudentStore, m.TeacherStore, m.FrozenStore} {
		if s != nil {
			all = append(all, s)
		}
	}
	return all
}

// Join makes the method one of a group's, all of which go on from rank 0's state.
// leave ends that.
func (m *Method) Join(group *torch.Group) (leave func(), err error) {
	m.group = group
	m.Student.Join(group)
	if m.Teacher != nil {
		m.Teacher.Join(group)
	}
	if group == nil {
		return func() {}, nil
	}
	err = m.root.NoGrad(func(s *torch.Scope) error {
		for _, store := range m.Stores() {
			for _, e := range store.Entries() {
				group.Broadcast(e.Tensor.In(s))
			}
		}
		var parameters []*torch.Tensor
		for _, e := range m.StudentStore.Parameters() {
			parameters = append(parameters, e.Tensor)
		}
		m.reducer = group.NewReducer(m.root, parameters)
		return nil
	})
	return m.reducer.Free, err
}

// Scaled is the same networks and heads under a configuration whose sizes differ,
// for a plan of the memory that they need.
func (m *Method) Scaled(cfg config.Config) *Method {
	out := *m
	out.cfg = cfg
	out.Student = m.Student.WithDetail(cfg.Network.HRDA.Crop)
	if m.Teacher != nil {
		out.Teacher = m.Teacher.WithDetail(cfg.Network.HRDA.Crop)
	}
	return &out
}

// Forget drops what a step that failed has left.
func (m *Method) Forget() {
	m.StudentStore.ClearGrads()
	m.Student.Reset()
}

// Finite reports whether everything the student carries from step to step still
// is, on all ranks: a batch norm's running statistics, say, are spoilt by a
// single NaN.
func (m *Method) Finite() bool {
	spoilt, err := m.group.Any(m.root, !m.finiteHere())
	return err == nil && !spoilt
}

func (m *Method) finiteHere() bool {
	for _, e := range m.StudentStore.Entries() {
		if e.Tensor.DType() != torch.Float32 {
			continue
		}
		ok := true
		if err := m.root.NoGrad(func(s *torch.Scope) error {
			ok = e.Tensor.In(s).IsFinite().All().Item() != 0
			return nil
		}); err != nil || !ok {
			return false
		}
	}
	return true
}
