package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

func register(w worker.Worker) {
	w.RegisterWorkflow(Mixed)
	w.RegisterWorkflow(Cancelled)
	w.RegisterWorkflow(Waiting)
	w.RegisterWorkflow(Short)
	w.RegisterWorkflow(Rabbit)
	w.RegisterWorkflow(Teller)
	w.RegisterActivity(Flaky)
	w.RegisterActivity(Beating)
	w.RegisterActivity(Double)
	w.RegisterActivity(Patient)
}

// Flaky fails twice and then tells its attempt.
func Flaky(ctx context.Context) (int32, error) {
	attempt := activity.GetInfo(ctx).Attempt
	if attempt < 3 {
		return 0, fmt.Errorf("attempt %d fails", attempt)
	}
	return attempt, nil
}

// Beating heartbeats, fails once, and goes on with the details of its last heartbeat.
func Beating(ctx context.Context) (int, error) {
	var from int
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &from); err != nil {
			return 0, err
		}
		return from + 1, nil
	}
	activity.RecordHeartbeat(ctx, 41)
	return 0, errors.New("fails after a heartbeat")
}

// Double doubles.
func Double(_ context.Context, n int) (int, error) { return 2 * n, nil }

// Patient heartbeats until it is cancelled.
func Patient(ctx context.Context) error {
	for ctx.Err() == nil {
		activity.RecordHeartbeat(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return ctx.Err()
}

// MixedResult is what Mixed saw on its way.
type MixedResult struct {
	Attempts int32    `json:"attempts"`
	Beaten   int      `json:"beaten"`
	Doubled  []int    `json:"doubled"`
	Local    int      `json:"local"`
	Side     string   `json:"side"`
	Version  int      `json:"version"`
	Signals  []string `json:"signals"`
	Runs     int      `json:"runs"`
}

// Mixed does a little of everything, over two runs.
func Mixed(ctx workflow.Context, runs int) (MixedResult, error) {
	result := MixedResult{Runs: runs}
	stage := "begun"
	err := workflow.SetQueryHandler(ctx, "stage", func() (string, error) { return stage, nil })
	if err != nil {
		return result, err
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 30 * time.Second,
		HeartbeatTimeout:    10 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 50 * time.Millisecond, MaximumAttempts: 5},
	})
	if err := steps(ctx, &result); err != nil {
		return result, err
	}
	stage = "waiting"
	for len(result.Signals) < 2 {
		var text string
		workflow.GetSignalChannel(ctx, "say").Receive(ctx, &text)
		result.Signals = append(result.Signals, text)
	}
	if runs < 2 {
		return result, workflow.NewContinueAsNewError(ctx, Mixed, runs+1)
	}
	stage = "done"
	return result, nil
}

func steps(ctx workflow.Context, result *MixedResult) error {
	if err := workflow.ExecuteActivity(ctx, Flaky).Get(ctx, &result.Attempts); err != nil {
		return err
	}
	if err := workflow.ExecuteActivity(ctx, Beating).Get(ctx, &result.Beaten); err != nil {
		return err
	}
	if err := doubled(ctx, result); err != nil {
		return err
	}
	if err := workflow.Sleep(ctx, 200*time.Millisecond); err != nil {
		return err
	}
	local := workflow.WithLocalActivityOptions(ctx,
		workflow.LocalActivityOptions{StartToCloseTimeout: 10 * time.Second})
	if err := workflow.ExecuteLocalActivity(local, Double, 21).Get(ctx, &result.Local); err != nil {
		return err
	}
	side := workflow.SideEffect(ctx, func(workflow.Context) interface{} { return "effect" })
	if err := side.Get(&result.Side); err != nil {
		return err
	}
	result.Version = int(workflow.GetVersion(ctx, "change", workflow.DefaultVersion, 2))
	return nil
}

// doubled runs several activities at once, while a timer runs that nobody waits for.
func doubled(ctx workflow.Context, result *MixedResult) error {
	timerCtx, cancelTimer := workflow.WithCancel(ctx)
	workflow.NewTimer(timerCtx, time.Hour)
	var futures []workflow.Future
	for n := 1; n <= 4; n++ {
		futures = append(futures, workflow.ExecuteActivity(ctx, Double, n))
	}
	for _, future := range futures {
		var n int
		if err := future.Get(ctx, &n); err != nil {
			return err
		}
		result.Doubled = append(result.Doubled, n)
	}
	cancelTimer()
	return nil
}

// Cancelled waits for an activity until it is cancelled, then cleans up in a disconnected context.
func Cancelled(ctx workflow.Context) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute,
		HeartbeatTimeout:    10 * time.Second,
		WaitForCancellation: true,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
	})
	err := workflow.ExecuteActivity(ctx, Patient).Get(ctx, nil)
	if !temporal.IsCanceledError(err) {
		return fmt.Errorf("the activity ended otherwise: %w", err)
	}
	clean, _ := workflow.NewDisconnectedContext(ctx)
	if err := workflow.ExecuteActivity(clean, Double, 1).Get(clean, nil); err != nil {
		return err
	}
	return err
}

// Waiting counts signals until it is told to finish.
func Waiting(ctx workflow.Context) (int, error) {
	count := 0
	err := workflow.SetQueryHandler(ctx, "count", func() (int, error) { return count, nil })
	if err != nil {
		return 0, err
	}
	for {
		var text string
		workflow.GetSignalChannel(ctx, "say").Receive(ctx, &text)
		if text == "finish" {
			return count, nil
		}
		count++
	}
}

// A task that was given out and is lost, with its server or its worker, comes again after it.
const attemptTimeout = 10 * time.Second

// Short is one activity.
func Short(ctx workflow.Context, n int) (int, error) {
	options := workflow.ActivityOptions{StartToCloseTimeout: attemptTimeout}
	ctx = workflow.WithActivityOptions(ctx, options)
	var result int
	err := workflow.ExecuteActivity(ctx, Double, n).Get(ctx, &result)
	return result, err
}

var policies = map[string]enumspb.ParentClosePolicy{
	"TERMINATE":      enumspb.PARENT_CLOSE_POLICY_TERMINATE,
	"REQUEST_CANCEL": enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
	"ABANDON":        enumspb.PARENT_CLOSE_POLICY_ABANDON,
}

// Rabbit is a tree of children: branches wait for all of theirs, leaves work, or sleep for as long
// as Go can say (292 years). It tells how many workflows of its tree completed. The child's ID is
// the parent's, dot, number.
func Rabbit(ctx workflow.Context, fanOut, depth int, leaf, policy string) (int, error) {
	if depth == 0 {
		if leaf == "sleep" {
			return 0, workflow.Sleep(ctx, math.MaxInt64)
		}
		n := 0
		options := workflow.ActivityOptions{StartToCloseTimeout: attemptTimeout}
		ctx = workflow.WithActivityOptions(ctx, options)
		err := workflow.ExecuteActivity(ctx, Double, 1).Get(ctx, &n)
		return n - 1, err
	}
	var children []workflow.ChildWorkflowFuture
	for i := 0; i < fanOut; i++ {
		options := workflow.ChildWorkflowOptions{
			WorkflowID:          fmt.Sprintf("%s.%d", workflow.GetInfo(ctx).WorkflowExecution.ID, i),
			ParentClosePolicy:   policies[policy],
			WaitForCancellation: true,
		}
		child := workflow.WithChildOptions(ctx, options)
		children = append(children,
			workflow.ExecuteChildWorkflow(child, Rabbit, fanOut, depth-1, leaf, policy))
	}
	count := 1
	var failed error
	for _, child := range children {
		n := 0
		if err := child.Get(ctx, &n); err != nil {
			failed = err
		}
		count += n
	}
	return count, failed
}

// Teller signals another workflow, then asks it to cancel itself.
func Teller(ctx workflow.Context, workflowID string, times int) error {
	for i := 0; i < times; i++ {
		err := workflow.SignalExternalWorkflow(ctx, workflowID, "", "say", "something").Get(ctx, nil)
		if err != nil {
			return err
		}
	}
	return workflow.RequestCancelExternalWorkflow(ctx, workflowID, "").Get(ctx, nil)
}
