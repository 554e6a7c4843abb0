// The C interface between pipa and libtorch. Go loads it at run time, so it
// is plain C: integers, pointers, no structs by value.
//
// Every function that can fail returns a negative number (or 0 where it
// returns a handle) and writes a message of at most err_len bytes, with its
// terminating zero, to err. No C++ exception leaves it.
#pragma once
#include <stdint.h>

// Changes with every incompatible change of this file; Go refuses another.
#define PIPA_TORCH_ABI 6

#ifdef __cplusplus
extern "C" {
#endif

typedef int64_t pt_tensor;  // owned handle to a tensor; 0 is none

enum {
  PT_NONE = 0,
  PT_TENSOR = 1,       // payload: handle
  PT_INT = 2,          // payload: the number
  PT_DOUBLE = 3,       // payload: its bits
  PT_BOOL = 4,         // payload: 0 or 1
  PT_INT_LIST = 5,     // payload: offset into ints, count numbers
  PT_DOUBLE_LIST = 6,  // payload: offset into doubles, count numbers
  PT_TENSOR_LIST = 7,  // payload: offset into ints, count handles; 0 is an absent optional tensor
  PT_STRING = 8,       // payload: offset into chars, count bytes
};

typedef struct {
  int32_t tag;
  int32_t count;
  int64_t payload;
} pt_value;

enum {
  PT_GRAD = 1,      // record for autograd
  PT_DISCARD = 2,   // return no outputs: an in-place operation's are its operands
  PT_AUTOCAST = 4,  // run under bfloat16 autocast for CPU and CUDA
};

typedef struct {
  int32_t dtype;         // c10::ScalarType
  int32_t device_type;   // c10::DeviceType
  int32_t device_index;  // -1 where the device has none
  int32_t dims;
  int32_t requires_grad;
  int32_t contiguous;
  int64_t numel;
  int64_t element_bytes;
  int64_t data;  // address of the first element
  int64_t sizes[8];
} pt_info;

int32_t pt_abi(void);
const char* pt_version(void);

// Tries whether convolutions on the CPU are right by oneDNN, and switches it off
// where they are not. Returns whether they take it.
int32_t pt_try_onednn(char* err, int64_t err_len);

// The operator of this schema name ("aten::add") and overload ("Tensor", or
// ""). The handle lives as long as the process.
int64_t pt_op(const char* name, const char* overload, char* err, int64_t err_len);

// Calls op with args in the order of its schema; trailing arguments that are
// left out take the schema's defaults. Writes the results to out (a list of
// tensors as one value each) and returns their number.
int32_t pt_call(int64_t op, const pt_value* args, int32_t n_args, const int64_t* ints, const double* doubles,
                const char* chars, int32_t flags, pt_value* out, int32_t max_out, char* err, int64_t err_len);

void pt_free(const pt_tensor* handles, int64_t n);
int64_t pt_live(void);                 // handles not freed yet
pt_tensor pt_share(pt_tensor tensor);  // another handle to the same tensor
int32_t pt_describe(pt_tensor tensor, pt_info* out, char* err, int64_t err_len);

// A tensor over memory it does not own; the caller keeps it alive.
pt_tensor pt_from_blob(void* data, const int64_t* sizes, int32_t dims, int32_t dtype, char* err, int64_t err_len);
// A copy of a tensor in this machine's memory on device ("cpu", "cuda:0"); where
// that is this memory, the tensor itself. A GPU gets it from pinned memory, on a
// stream of its own, after what has been called before; what is called afterwards
// waits for it. The host does not, and the caller's memory is free when this returns.
pt_tensor pt_upload(pt_tensor tensor, const char* device, char* err, int64_t err_len);
// Copies the elements, row-major, from any device.
int32_t pt_copy_out(pt_tensor tensor, void* out, int64_t bytes, char* err, int64_t err_len);

int32_t pt_set_requires_grad(pt_tensor tensor, int32_t on, char* err, int64_t err_len);
int32_t pt_backward(pt_tensor tensor, pt_tensor cotangent, int32_t retain_graph, char* err, int64_t err_len);
pt_tensor pt_grad(pt_tensor tensor, char* err, int64_t err_len);  // 0 without error: no gradient yet
int32_t pt_set_grad(pt_tensor tensor, pt_tensor grad, char* err, int64_t err_len);  // grad 0 clears it

int32_t pt_seed(int64_t seed, char* err, int64_t err_len);
// The state of the default generator of a device ("cpu", "cuda:0").
pt_tensor pt_rng(const char* device, char* err, int64_t err_len);
int32_t pt_set_rng(const char* device, pt_tensor state, char* err, int64_t err_len);
// Counts the CPU memory that the calling thread's operations hold, from 0 when
// switched on. pt_memory_peak is the most since the last call of either.
int32_t pt_count_memory(int32_t on, char* err, int64_t err_len);
int64_t pt_memory_peak(void);
int32_t pt_set_threads(int32_t n, char* err, int64_t err_len);
int32_t pt_threads(void);
int32_t pt_cuda_devices(void);
// Whether cuDNN tries its algorithms on the first convolution of each shape, and
// keeps the fastest.
int32_t pt_fixed_shapes(int32_t on, char* err, int64_t err_len);
int32_t pt_exact(int32_t on, char* err, int64_t err_len);  // TF32 off and deterministic algorithms

// Data parallelism on c10d. A group is the processes of one run, numbered by
// rank from 0; every one of them makes the same collective calls in the same
// order.
typedef int64_t pt_group;
typedef int64_t pt_reducer;

enum { PT_GLOO = 1, PT_NCCL = 2 };
// The backends this libtorch has, or-ed.
int32_t pt_group_backends(void);

// Meets all other ranks at host:port within timeout_ms. The process with serve
// set keeps the store that they meet at; prefix keeps attempts at one store
// apart.
pt_group pt_group_join(const char* host, int32_t port, int32_t serve, const char* prefix, int32_t rank, int32_t size,
                       int32_t backend, int64_t timeout_ms, char* err, int64_t err_len);
void pt_group_leave(pt_group group);
// Makes the waits of this process, now and later, fail with reason. Any thread
// may call it.
void pt_group_abort(pt_group group, const char* reason);
// Adds to a counter in the store and returns it, or INT64_MIN. Any thread may
// call it.
int64_t pt_group_add(pt_group group, const char* key, int64_t amount, char* err, int64_t err_len);
// A new tensor, the sum over the ranks. With grad it is differentiable: the
// gradients of all ranks add up.
pt_tensor pt_group_sum(pt_group group, pt_tensor tensor, int32_t grad, char* err, int64_t err_len);
// Replaces tensor's values by rank 0's.
int32_t pt_group_broadcast(pt_group group, pt_tensor tensor, char* err, int64_t err_len);

// Adds up the gradients of parameters over the ranks, in buckets of at most
// bucket_bytes (one larger parameter is a bucket of its own), last parameter
// first.
pt_reducer pt_reducer_new(pt_group group, const pt_tensor* parameters, int64_t n, int64_t bucket_bytes, char* err, int64_t err_len);
void pt_reducer_free(pt_reducer reducer);
// The next backward pass, from root, is the step's last: a bucket whose
// gradients are complete is sent off while it goes on.
int32_t pt_reducer_arm(pt_reducer reducer, pt_tensor root, char* err, int64_t err_len);
// Sends what has not been sent, waits for all, and stores the sums. A parameter
// without a gradient counts 0; it stays without where no rank has one. Returns
// how many buckets had been sent during the backward pass.
int32_t pt_reducer_finish(pt_reducer reducer, char* err, int64_t err_len);

#ifdef __cplusplus
}
#endif
