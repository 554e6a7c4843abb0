// Package method is what a training step computes: the gradients of all its
// losses, from labeled source images, unlabeled target images, and pairs of
// overlapping target crops.
//
// step.go has the order, and reads like docs/method.md: the teacher follows the
// student; the student learns from the source; the teacher labels the target; the
// student learns from both mixed, from the target with blocks hidden, and from the
// crops. Each of these is a [Phase], with one backward pass that frees its
// activations before the next begins.
//
// A phase computes a list of terms ([loss.Term]). All that is computed is added
// up, logged by its name, reduced over the ranks and measured by the memory plan:
// there is no other list of losses. The terms are
//
//	source            cross entropy of source images
//	pixel             PiPa's pixel contrast of them
//	feature_distance  DAFormer's distance to ImageNet features, on things
//	mixed             cross entropy of mixed images, by the teacher's labels
//	masked            MIC's, of images with blocks hidden
//	patch             PiPa's patch contrast of crop pairs
//
// and at two scales source_detail, mixed_detail and masked_detail, the detail's
// own. A new loss on source images is a file like pixel.go, which makes its head
// and computes its terms, and a line in [New]; or, of a program outside this module,
// a [Loss] in [Custom] (docs/extending.md). Heads are a student's tensors
// outside backbone and decode_head: whoever predicts passes them over.
//
// The contrasts have two ways, as the paper describes them and as the released
// code computes them. Which one is chosen once, where their heads are made.
package method
