// Tests of the C interface on its own, built with the address and undefined
// behaviour sanitizers by scripts/test-adapter: arguments that no Go program
// passes, and the memory around the ones it does.
#include "pipatorch.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

static int failures = 0;

#define EXPECT(condition)                                                        \
  do {                                                                           \
    if (!(condition)) {                                                          \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);       \
      failures++;                                                                \
    }                                                                            \
  } while (0)

static char err[256];

static pt_value tensor(pt_tensor t) { return {PT_TENSOR, 0, t}; }
static pt_value integer(int64_t v) { return {PT_INT, 0, v}; }

static int64_t op(const char* name, const char* overload) {
  int64_t h = pt_op(name, overload, err, sizeof err);
  EXPECT(h != 0);
  return h;
}

static bool says(const char* part) { return std::string(err).find(part) != std::string::npos; }

static void calls() {
  std::vector<float> a{1, 2, 3, 4}, b{10, 20, 30, 40};
  int64_t sizes[] = {2, 2};
  pt_tensor x = pt_from_blob(a.data(), sizes, 2, 6, err, sizeof err);
  pt_tensor y = pt_from_blob(b.data(), sizes, 2, 6, err, sizeof err);
  EXPECT(x != 0 && y != 0);

  pt_value args[] = {tensor(x), tensor(y)}, out[1];
  EXPECT(pt_call(op("aten::add", "Tensor"), args, 2, nullptr, nullptr, nullptr, 0, out, 1, err, sizeof err) == 1);
  EXPECT(out[0].tag == PT_TENSOR);
  float sum[4];
  EXPECT(pt_copy_out(out[0].payload, sum, sizeof sum, err, sizeof err) >= 0);
  EXPECT(sum[0] == 11 && sum[3] == 44);
  EXPECT(pt_copy_out(out[0].payload, sum, 8, err, sizeof err) < 0);  // too small a place
  EXPECT(pt_live() == 3);

  pt_info info;
  EXPECT(pt_describe(out[0].payload, &info, err, sizeof err) >= 0);
  EXPECT(info.dims == 2 && info.sizes[0] == 2 && info.numel == 4 && info.element_bytes == 4);
  pt_tensor shared = pt_share(out[0].payload);
  pt_free(&out[0].payload, 1);
  EXPECT(pt_copy_out(shared, sum, sizeof sum, err, sizeof err) >= 0);

  // A list argument lies in the side array; a result list larger than its
  // place is an error, not an overrun.
  int64_t side[] = {x, y};
  pt_value cat[] = {{PT_TENSOR_LIST, 2, 0}, integer(0)};
  EXPECT(pt_call(op("aten::cat", ""), cat, 2, side, nullptr, nullptr, 0, out, 1, err, sizeof err) == 1);
  pt_free(&out[0].payload, 1);
  int64_t before = pt_live();
  pt_value split[] = {tensor(x), integer(1), integer(0)};
  EXPECT(pt_call(op("aten::split", "Tensor"), split, 3, nullptr, nullptr, nullptr, 0, out, 1, err, sizeof err) < 0);
  EXPECT(pt_live() == before);

  pt_tensor all[] = {x, y, shared, 0};  // 0 is none
  pt_free(all, 4);
  EXPECT(pt_live() == 0);
}

static void errors() {
  EXPECT(pt_op("aten::no_such_thing", "", err, sizeof err) == 0);
  EXPECT(says("no_such_thing"));
  char tiny[4];
  EXPECT(pt_op("aten::no_such_thing", "", tiny, sizeof tiny) == 0);
  EXPECT(std::strlen(tiny) < sizeof tiny);

  std::vector<float> a(6);
  int64_t two_three[] = {2, 3}, three[] = {3}, negative[] = {-1};
  pt_tensor x = pt_from_blob(a.data(), two_three, 2, 6, err, sizeof err);
  pt_tensor y = pt_from_blob(a.data(), three, 1, 6, err, sizeof err);
  pt_value out[1];
  pt_value args[] = {tensor(y), tensor(x)};
  EXPECT(pt_call(op("aten::mm", ""), args, 2, nullptr, nullptr, nullptr, 0, out, 1, err, sizeof err) < 0);
  EXPECT(err[0] != 0);
  pt_value unknown_tag[] = {{99, 0, 0}, tensor(x)};
  EXPECT(pt_call(op("aten::add", "Tensor"), unknown_tag, 2, nullptr, nullptr, nullptr, 0, out, 1, err, sizeof err) < 0);
  pt_value no_tensor[] = {tensor(0), tensor(x)};
  EXPECT(pt_call(op("aten::add", "Tensor"), no_tensor, 2, nullptr, nullptr, nullptr, 0, out, 1, err, sizeof err) < 0);
  pt_value too_many[] = {tensor(x), tensor(x), integer(1), integer(2), integer(3)};
  EXPECT(pt_call(op("aten::add", "Tensor"), too_many, 5, nullptr, nullptr, nullptr, 0, out, 1, err, sizeof err) < 0);
  EXPECT(pt_call(0, args, 2, nullptr, nullptr, nullptr, 0, out, 1, err, sizeof err) < 0);
  pt_tensor here = pt_from_blob(a.data(), three, 1, 6, err, sizeof err);
  pt_tensor uploaded = pt_upload(here, "cpu", err, sizeof err);
  EXPECT(uploaded != 0);  // the tensor itself
  EXPECT(pt_upload(here, "nowhere", err, sizeof err) == 0 && err[0] != 0);
  EXPECT(pt_upload(0, "cpu", err, sizeof err) == 0);
  pt_free(&here, 1);
  float still[3];
  EXPECT(pt_copy_out(uploaded, still, sizeof still, err, sizeof err) >= 0 && still[2] == a[2]);
  pt_free(&uploaded, 1);
  EXPECT(pt_from_blob(a.data(), negative, 1, 6, err, sizeof err) == 0);
  EXPECT(pt_from_blob(a.data(), three, 1, 1234, err, sizeof err) == 0);
  EXPECT(pt_set_threads(0, err, sizeof err) < 0);
  pt_tensor both[] = {x, y};
  pt_free(both, 2);
}

static void gradients() {
  std::vector<float> a{1, 2, 3};
  int64_t three[] = {3};
  pt_tensor x = pt_from_blob(a.data(), three, 1, 6, err, sizeof err);
  EXPECT(pt_set_requires_grad(x, 1, err, sizeof err) >= 0);
  EXPECT(pt_backward(x, 0, 0, err, sizeof err) < 0);  // no scalar
  pt_value out[1];
  pt_value square[] = {tensor(x), tensor(x)};
  EXPECT(pt_call(op("aten::mul", "Tensor"), square, 2, nullptr, nullptr, nullptr, PT_GRAD, out, 1, err, sizeof err) == 1);
  pt_tensor squared = out[0].payload;
  pt_value sum[] = {tensor(squared)};
  EXPECT(pt_call(op("aten::sum", ""), sum, 1, nullptr, nullptr, nullptr, PT_GRAD, out, 1, err, sizeof err) == 1);
  EXPECT(pt_backward(out[0].payload, 0, 0, err, sizeof err) >= 0);
  pt_tensor g = pt_grad(x, err, sizeof err);
  EXPECT(g != 0);
  float grad[3];
  EXPECT(pt_copy_out(g, grad, sizeof grad, err, sizeof err) >= 0);
  EXPECT(grad[0] == 2 && grad[2] == 6);
  pt_tensor all[] = {x, squared, out[0].payload, g};
  pt_free(all, 4);
  EXPECT(pt_live() == 0);
}

int main() {
  EXPECT(pt_abi() == PIPA_TORCH_ABI);
  const int32_t onednn = pt_try_onednn(err, sizeof err);
  EXPECT(onednn >= 0 && pt_try_onednn(err, sizeof err) == onednn);  // what was switched off stays off
  calls();
  errors();
  gradients();
  if (failures > 0) return 1;
  std::printf("adapter: ok, libtorch %s\n", pt_version());
  return 0;
}
