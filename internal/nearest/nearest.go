// Package nearest finds what a mistyped word was to be.
package nearest

import (
	"fmt"
	"strings"
)

// longest is what the length of words that are compared is bounded by: nobody mistypes
// longer names, and the work is the product of both lengths.
const longest = 256

// Word is the candidate that word was probably to be, for "did you mean": about a
// letter in three is wrong, missing, too much or swapped with its neighbor, or word is
// the beginning of one candidate alone. It is empty where none is as near.
func Word(word string, candidates []string) string {
	if word == "" || len(word) > longest {
		return ""
	}
	typed := strings.ToLower(word)
	best, least := "", max((len(word)+1)/3, 1)+1
	begun, begin := "", 0
	for _, c := range candidates {
		if len(c) > longest || c == "" {
			continue
		}
		known := strings.ToLower(c)
		// Half of a short name is not a letter in three.
		if d := editDistance(typed, known); d < least && d < len(known) && (d == 0 || 2*d < len(typed)+1) {
			best, least = c, d
		}
		if len(word) > 2 && strings.HasPrefix(known, typed) {
			begun = c
			begin++
		}
	}
	if best == "" && begin == 1 {
		return begun
	}
	return best
}

// Hint is the end of a message about an unknown word: ": did you mean …?", with the
// nearest candidate as format shows it; empty where none is near.
func Hint(word string, candidates []string, format string) string {
	if near := Word(word, candidates); near != "" {
		return fmt.Sprintf(": did you mean "+format+"?", near)
	}
	return ""
}

// editDistance is the least number of letters that are inserted, removed, replaced or
// swapped with their neighbors (optimal string alignment).
func editDistance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
