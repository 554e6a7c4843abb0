// Package nearest finds what a mistyped word was to be.
package nearest

// Word is the candidate closest to word by edit distance (Levenshtein), for
// "did you mean". It is empty where there are no candidates.
func Word(word string, candidates []string) string {
	// Nobody mistypes longer names than this, and the work is the product of both
	// lengths.
	const longest = 256
	if len(word) > longest {
		return ""
	}
	best, least := "", 1<<30
	for _, c := range candidates {
		if len(c) > longest {
			continue
		}
		if d := editDistance(word, c); d < least {
			best, least = c, d
		}
	}
	return best
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
