// Command worker is a worker written with the unmodified Temporal Go SDK.
//
//	worker -address HOST:PORT -queue NAME
//
// It prints "ready" when it polls and stops on SIGTERM.
package main

import (
	"flag"
	"fmt"
	"log"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
)

type silent struct{}

func (silent) Debug(string, ...interface{}) {}
func (silent) Info(string, ...interface{})  {}
func (silent) Warn(string, ...interface{})  {}
func (silent) Error(string, ...interface{}) {}

func main() {
	address := flag.String("address", "127.0.0.1:7233", "the server")
	queue := flag.String("queue", "e2e-go", "task queue")
	flag.Parse()

	c, err := client.Dial(client.Options{HostPort: *address, Logger: silent{}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	// By itself the SDK sends a heartbeat only after 80 % of its timeout: too late for a machine
	// that halts.
	w := worker.New(c, *queue, worker.Options{MaxHeartbeatThrottleInterval: 500 * time.Millisecond})
	register(w)
	if err := w.Start(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	<-worker.InterruptCh()
	w.Stop()
}
