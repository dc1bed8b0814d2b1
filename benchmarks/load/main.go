// Load for reads: GET requests of one address over connections that stay open, in a closed loop or at a fixed rate.
//
// At a fixed rate each request has a moment at which it is due, and its time counts from that moment, also when no connection was
// free: a server that stands still for a second is charged for all requests of that second (no coordinated omission).
// Prints one line of JSON.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type outcome struct {
	Answers      int            `json:"answers"`
	Seconds      float64        `json:"seconds"`
	P50          float64        `json:"p50"`
	P99          float64        `json:"p99"`
	Longest      float64        `json:"longest"`
	Statuses     map[string]int `json:"statuses"`
	Broken       int            `json:"broken"`
	ProcessorSec float64        `json:"processor"`
}

type worker struct {
	address string
	request []byte
	conn    net.Conn
	reader  *bufio.Reader
}

func (w *worker) ask() (int, error) {
	if w.conn == nil {
		conn, err := net.Dial("tcp", w.address)
		if err != nil {
			return 0, err
		}
		w.conn, w.reader = conn, bufio.NewReaderSize(conn, 64*1024)
	}
	if _, err := w.conn.Write(w.request); err != nil {
		return 0, w.drop(err)
	}
	response, err := http.ReadResponse(w.reader, nil)
	if err != nil {
		return 0, w.drop(err)
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0, w.drop(err)
	}
	response.Body.Close()
	if response.Close {
		w.drop(nil)
	}
	return response.StatusCode, nil
}

func (w *worker) drop(err error) error {
	w.conn.Close()
	w.conn = nil
	return err
}

func main() {
	target := flag.String("url", "", "address with path and query")
	headers := flag.String("headers", "", "file with header lines")
	connections := flag.Int("connections", 32, "connections")
	rate := flag.Int("rate", 0, "requests per second; 0: each connection asks again at once")
	seconds := flag.Float64("seconds", 5, "duration")
	flag.Parse()

	parsed, err := url.Parse(*target)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	lines, err := os.ReadFile(*headers)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	request := "GET " + parsed.RequestURI() + " HTTP/1.1\r\nHost: " + parsed.Host + "\r\n"
	for _, line := range strings.Split(strings.TrimSpace(string(lines)), "\n") {
		request += line + "\r\n"
	}
	request += "\r\n"

	var (
		group    sync.WaitGroup
		lock     sync.Mutex
		times    []float64
		statuses = map[string]int{}
		broken   int
		next     int64
	)
	began := time.Now()
	length := time.Duration(*seconds * float64(time.Second))
	for number := 0; number < *connections; number++ {
		group.Add(1)
		go func() {
			defer group.Done()
			own := &worker{address: parsed.Host, request: []byte(request)}
			var took []float64
			seen, failed := map[string]int{}, 0
			for {
				due := time.Now()
				if *rate > 0 {
					ordinal := atomic.AddInt64(&next, 1) - 1
					due = began.Add(time.Duration(ordinal) * time.Second / time.Duration(*rate))
					time.Sleep(time.Until(due))
				}
				if due.Sub(began) >= length {
					break
				}
				status, err := own.ask()
				if err != nil {
					failed++
					continue
				}
				seen[fmt.Sprint(status)]++
				took = append(took, time.Since(due).Seconds()*1000)
			}
			lock.Lock()
			defer lock.Unlock()
			times = append(times, took...)
			broken += failed
			for status, count := range seen {
				statuses[status] += count
			}
		}()
	}
	group.Wait()
	elapsed := time.Since(began).Seconds()
	sort.Float64s(times)
	at := func(share float64) float64 {
		if len(times) == 0 {
			return 0
		}
		return times[int(share*float64(len(times)-1))]
	}
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	processor := float64(usage.Utime.Sec+usage.Stime.Sec) + float64(usage.Utime.Usec+usage.Stime.Usec)/1e6
	json.NewEncoder(os.Stdout).Encode(outcome{len(times), elapsed, at(0.5), at(0.99), at(1), statuses, broken, processor})
}
