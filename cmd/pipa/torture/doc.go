// Package torture holds no code but tests: the real program under failing
// disks, power cuts, kills, stops, and inputs and pipes that go away
// (docs/reliability.md).
//
//	go test ./cmd/pipa/torture                      some of each, in two minutes
//	go test ./cmd/pipa/torture -timeout 1h -full -v   all of them: make torture
package torture
