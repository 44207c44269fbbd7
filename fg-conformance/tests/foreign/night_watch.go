// An extension for Go, written with its standard library only.
//
// FG_EXTENSION_PORT changes its port. FAULT selects one fault, for example "keeps-goroutine".
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const name = "extensionNightWatch.sh"

// How long an event takes, so that one can be in flight.
const handlerTime = 3 * time.Millisecond

var fault = os.Getenv("FAULT")

var (
	mutex sync.Mutex
	files []*os.File
)

type event struct {
	TraceID *string `json:"traceId"`
	URN     string  `json:"invokedFunctionUrn"`
}

func invoke(w http.ResponseWriter, r *http.Request) {
	var e event
	err := json.NewDecoder(r.Body).Decode(&e)
	if err == nil && e.TraceID == nil {
		err = errors.New("traceId is missing")
	}
	if err != nil {
		if fault == "panics-on-malformed" {
			// net/http recovers, and closes the connection without a response.
			panic(err)
		}
		http.Error(w, fmt.Sprint("not a valid event: ", err), http.StatusBadRequest)
		return
	}
	switch fault {
	case "keeps-descriptor":
		mutex.Lock()
		if file, err := os.Open("/dev/null"); err == nil {
			files = append(files, file)
		}
		mutex.Unlock()
	case "keeps-goroutine":
		// Each goroutine holds its stack, and waits for a message that nobody sends.
		go func() {
			var stack [32768]byte
			<-make(chan struct{})
			_ = stack[os.Getpid()%len(stack)]
		}()
	}
	if fault == "exits-at-once" {
		// Timers that expire while the process is stopped fire before the signal is handled, so this takes longer than the stop.
		time.Sleep(3 * time.Second)
	}
	time.Sleep(handlerTime)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(e)
}

func register(address string) error {
	url := "http://" + os.Getenv("EXTENSION_API_ADDR") + "/extension/register"
	pause := 50 * time.Millisecond
	var problem error
	for i := 0; i < 8; i++ {
		request, err := http.NewRequest(http.MethodPost, url, nil)
		if err != nil {
			return err
		}
		request.Header.Set("FunctionGraph-Extension-Name", name)
		request.Header.Set("FunctionGraph-Extension-Address", address)
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(response.Status)
			if response.StatusCode < 500 {
				return err
			}
		}
		problem = err
		time.Sleep(pause)
		pause *= 2
	}
	return problem
}

func main() {
	port := os.Getenv("FG_EXTENSION_PORT")
	if port == "" {
		port = "8081"
	}
	address := "127.0.0.1:" + port
	http.HandleFunc("/extension/invoke", invoke)
	bind := address
	if fault == "all-interfaces" {
		bind = ":" + port
	}
	listener, err := net.Listen("tcp", bind)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{}
	go func() { _ = server.Serve(listener) }()
	if err := register(address); err != nil {
		log.Fatal("cannot register: ", err)
	}
	stopped, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	<-stopped.Done()
	if fault == "exits-at-once" {
		return
	}
	drained, cancel := context.WithTimeout(context.Background(), 1500*time.Millisecond)
	defer cancel()
	_ = server.Shutdown(drained)
}
