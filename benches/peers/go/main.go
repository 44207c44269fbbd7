// The jobs of the benchmarks on net/http: prints each invocation, or, if BENCH_EVENTS is set, subscribes to telemetry
// and counts the events by kind.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

const address = "127.0.0.1:8081"

const subscription = `{"subscriber":{"protocol":"POST","uri":"http://127.0.0.1:8081"},"types":["platform","function","extension"]}`

type invocation struct {
	TraceID            string `json:"traceId"`
	InvokedFunctionUrn string `json:"invokedFunctionUrn"`
}

type event struct {
	Name    string `json:"name"`
	TraceID string `json:"traceId"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run() error {
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	expected, countEvents := os.LookupEnv("BENCH_EVENTS")
	script := "extensionHello.sh"
	if countEvents {
		script = "extensionTelemetry.sh"
	}
	headers := map[string]string{
		"FunctionGraph-Extension-Name":    script,
		"FunctionGraph-Extension-Address": address,
	}
	if err := post("/extension/register", headers, ""); err != nil {
		return err
	}
	if countEvents {
		headers := map[string]string{"Content-Type": "application/json"}
		if err := post("/telemetry", headers, subscription); err != nil {
			return err
		}
		events, err := strconv.Atoi(expected)
		if err != nil {
			return err
		}
		http.HandleFunc("/", (&counter{expected: events, kinds: map[string]int{}}).telemetry)
	} else {
		http.HandleFunc("/extension/invoke", invoke)
	}
	go http.Serve(listener, nil)
	<-terminate
	return nil
}

func post(path string, headers map[string]string, body string) error {
	request, err := http.NewRequest("POST", "http://"+os.Getenv("EXTENSION_API_ADDR")+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != 200 {
		return errors.New(response.Status)
	}
	return nil
}

func invoke(writer http.ResponseWriter, request *http.Request) {
	var event invocation
	if err := json.NewDecoder(request.Body).Decode(&event); err != nil {
		http.Error(writer, err.Error(), 400)
		return
	}
	fmt.Println(event.TraceID, "invoked", event.InvokedFunctionUrn)
	json.NewEncoder(writer).Encode(event)
}

type counter struct {
	lock         sync.Mutex
	kinds        map[string]int
	events       int
	expected     int
	traceIDBytes int
}

func (c *counter) telemetry(writer http.ResponseWriter, request *http.Request) {
	var events []event
	if err := json.NewDecoder(request.Body).Decode(&events); err != nil {
		http.Error(writer, err.Error(), 400)
		return
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, event := range events {
		c.kinds[event.Name]++
		c.traceIDBytes += len(event.TraceID)
		c.events++
		if c.events == c.expected {
			fmt.Println("done", c.kinds, c.traceIDBytes)
		}
	}
}
