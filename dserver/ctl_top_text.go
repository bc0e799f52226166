package dserver

import (
	"fmt"
	"time"
)

// topText is a frame in words. Columns is the width that there is, 0 for any.
func topText(name string, f topFrame, now time.Time, columns int) string {
	processes := textTable{header: []string{
		"Pid", "Service", "Gen", "Uptime", "Memory", "CPU", "Sessions", "Calls/s", "Serving", "Calling", "In/s", "Out/s",
	}}
	for _, p := range f.Processes {
		processes.rows = append(processes.rows, []string{
			fmt.Sprint(p.PID), printable(p.Service), fmt.Sprint(p.Generation), uptime(seconds(p.Uptime)), byteText(float64(p.Memory)),
			fmt.Sprintf("%.0f%%", 100*p.CPU), fmt.Sprint(p.Sessions), countText(p.Calls), fmt.Sprint(p.Serving),
			fmt.Sprint(p.Calling), byteText(p.InRate), byteText(p.OutRate),
		})
	}
	methods := textTable{header: []string{"Method", "Kind", "Pid", "Calls/s", "Errors/s", "In flight", "p50", "p99"}}
	for _, m := range f.Methods {
		methods.rows = append(methods.rows, []string{
			printable(m.Path), m.Kind, fmt.Sprint(m.PID), countText(m.Calls), countText(m.Errors), fmt.Sprint(m.Running),
			latencyText(m.P50), latencyText(m.P99),
		})
	}
	methods.shrink(0, columns)
	return fmt.Sprintf("%s  %s\n%s%s", printable(name), now.Format(time.DateTime), processes, methods)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// countText writes a rate: small ones with a digit behind the point.
func countText(n float64) string {
	if n > 0 && n < 10 {
		return fmt.Sprintf("%.1f", n)
	}
	return fmt.Sprintf("%.0f", n)
}

// byteText writes a number of bytes in the unit that suits it.
func byteText(n float64) string {
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if n < 1000 {
			if unit == "B" || n >= 100 {
				return fmt.Sprintf("%.0f %s", n, unit)
			}
			return fmt.Sprintf("%.1f %s", n, unit)
		}
		n /= 1024
	}
	return fmt.Sprintf("%.1f TiB", n)
}

// latencyText writes a duration with three digits, nothing for none.
func latencyText(s float64) string {
	d := seconds(s)
	switch {
	case d <= 0:
		return ""
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", 1e3*d.Seconds())
	}
	return fmt.Sprintf("%.3g s", d.Seconds())
}
