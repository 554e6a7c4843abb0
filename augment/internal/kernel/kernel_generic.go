//go:build !amd64 || purego

package kernel

// Without assembly every kernel is plain from its first element.

func bilinearRowFast([]int16, []byte, *BilinearTaps) int                    { return 0 }
func bilinearBlendFast([]byte, []int16, []int16, int32, int32) int          { return 0 }
func nearestRowFast([]byte, []byte, *NearestTaps) int                       { return 0 }
func resampleRowFast(_, _ []byte, _ *ResampleTaps, from, _ int) int         { return from }
func resampleColumnFast([]byte, []byte, []int, []int32, *ColumnScratch) int { return 0 }
func blurRowsFast([]uint16, []byte, []byte, []byte, []byte, []byte) int     { return 0 }
func blurColumnsFast([]byte, []uint16, int) int                             { return 0 }
func mixFast([]byte, byte, float32) int                                     { return 0 }
func saturateFast([]byte, float32) int                                      { return 0 }
func grayFast([]byte) int                                                   { return 0 }
func lumaSumFast([]byte) (sum, bytes int)                                   { return 0, 0 }
func hueFast([]byte, byte) int                                              { return 0 }
func reverseFast([]byte, []byte, int) int                                   { return 0 }
func widenFast([]float32, []byte, float32) int                              { return 0 }
func narrowFast([]byte, []float32) int                                      { return 0 }
func weighFast(_, _ []float32, _ []int, _ Weighing) int                     { return 0 }
