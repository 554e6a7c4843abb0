// Package stats counts the classes of a dataset's labels, in the files that DAFormer
// reads and writes, and draws samples by them: rare class sampling.
//
//	labels, err := stats.Count(ctx, dataset, workers, nil, nil)
//	err = stats.In("data/gta").Write(labels, false)
//
//	labels, err = stats.In("data/gta").Read()
//	labels, err = stats.Align(dataset, labels) // sample i's are labels[i]
//	rare, err := stats.NewRareClasses(labels, 0.01, 3000)
//	class, i := rare.Draw(rng)
package stats
