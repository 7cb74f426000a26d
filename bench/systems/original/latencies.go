package main

import (
	"crypto/rand"
	"errors"
	"math"
	"slices"
	"time"
)

type timedRound struct {
	WarmUpMs     float64 `json:"warmUpMs"`
	DurationMs   float64 `json:"durationMs"`
	MessageBytes int     `json:"messageBytes"`
}

type latencies struct {
	Count int     `json:"count"`
	P50Us float64 `json:"p50Us"`
	P99Us float64 `json:"p99Us"`
}

// timeEach times one exchange after the other, until the round is over; not what ends each.
func timeEach(round timedRound, exchange func(message []byte) (end func() error, err error)) (latencies, error) {
	message := make([]byte, round.MessageBytes)
	_, _ = rand.Read(message)
	before := time.Now()
	start := before.Add(time.Duration(round.WarmUpMs * float64(time.Millisecond)))
	over := start.Add(time.Duration(round.DurationMs * float64(time.Millisecond)))
	var timesUs []float64
	for before.Before(over) {
		end, err := exchange(message)
		if err != nil {
			return latencies{}, err
		}
		if !before.Before(start) {
			timesUs = append(timesUs, time.Since(before).Seconds()*1e6)
		}
		if err := end(); err != nil {
			return latencies{}, err
		}
		before = time.Now()
	}
	if len(timesUs) == 0 {
		return latencies{}, errors.New("no exchange was over in time")
	}
	slices.Sort(timesUs)
	return latencies{len(timesUs), quantile(timesUs, 0.5), quantile(timesUs, 0.99)}, nil
}

// quantile is as in bench/report/statistics.ts.
func quantile(sorted []float64, share float64) float64 {
	position := float64(len(sorted)-1) * share
	below, above := sorted[int(math.Floor(position))], sorted[int(math.Ceil(position))]
	return below + (above-below)*(position-math.Floor(position))
}
