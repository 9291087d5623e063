// Command beside is the other side of the benchmarks: what a service is
// compared with, where that needs a process of its own.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "beside:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 1 && args[0] == "empty":
		return empty()
	case len(args) == 5 && args[0] == "submit":
		connections, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		span, err := time.ParseDuration(args[3])
		if err != nil {
			return err
		}
		return submit(args[1], connections, span, args[4])
	}
	return fmt.Errorf("unknown arguments %q", args)
}

// empty serves answers without a content of their own, and prints where.
func empty() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") }))
}

// submitted is what submit prints, as JSON.
type submitted struct {
	Seconds   float64
	Latencies []float64 // in milliseconds
}

// submit submits jobs to slurmrestd on so many connections for a while.
func submit(socket string, connections int, span time.Duration, dir string) error {
	body, err := json.Marshal(map[string]any{
		"job": map[string]any{"name": "bench", "current_working_directory": dir, "standard_output": "/dev/null",
			"environment": map[string]string{"PATH": "/usr/bin:/bin"}},
		"script": "#!/bin/sh\ntrue\n",
	})
	if err != nil {
		return err
	}
	var (
		mu   sync.Mutex
		wg   sync.WaitGroup
		sum  submitted
		last error
	)
	begun := time.Now()
	for range connections {
		wg.Go(func() {
			client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, "unix", socket)
				},
			}}
			var mine []float64
			var err error
			for err == nil && time.Since(begun) < span {
				at := time.Now()
				if err = post(&client, body); err == nil {
					mine = append(mine, float64(time.Since(at).Microseconds())/1000)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			sum.Latencies = append(sum.Latencies, mine...)
			if err != nil {
				last = err
			}
		})
	}
	wg.Wait()
	if last != nil {
		return last
	}
	sum.Seconds = time.Since(begun).Seconds()
	slices.Sort(sum.Latencies)
	return json.NewEncoder(os.Stdout).Encode(sum)
}

func post(client *http.Client, body []byte) error {
	request, err := http.NewRequest(http.MethodPost, "http://slurm/slurm/v0.0.38/job/submit", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	var accepted struct {
		JobID int `json:"job_id"`
	}
	if err := json.Unmarshal(text, &accepted); err != nil || answer.StatusCode != http.StatusOK || accepted.JobID == 0 {
		return fmt.Errorf("slurmrestd answered %s: %.500s", answer.Status, text)
	}
	return nil
}
