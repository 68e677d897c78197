package demo

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/fairlead/fairlead/internal/status"
)

// repaintEvery is how often a terminal is looked after.
const repaintEvery = time.Second

// clearScreen is ECMA-48's CUP to the first cell, and ED of everything.
const clearScreen = "\x1b[H\x1b[2J"

var heading = lipgloss.NewStyle().Bold(true)

// show prints the stage, on a terminal again whenever it has changed, until ctx
// ends.
func (o Options) show(ctx context.Context, c *client, st stage) error {
	tick := time.NewTicker(repaintEvery)
	defer tick.Stop()
	shown := ""
	for {
		report, err := c.report(ctx)
		if err != nil {
			return err
		}
		if page := o.page(c, st, report); page != shown {
			if err := o.paint(page); err != nil {
				return fmt.Errorf("show: %w", err)
			}
			shown = page
		}
		if !o.Live {
			<-ctx.Done()
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// paint writes the page, without colours where there is no terminal for them.
func (o Options) paint(page string) error {
	if o.Live {
		if _, err := io.WriteString(o.Out, clearScreen); err != nil {
			return err
		}
	}
	_, err := lipgloss.Fprint(o.Out, page)
	return err
}

// page is what the demo shows: the load balancer with its nodes, its name, and
// what to try.
func (o Options) page(c *client, st stage, report status.Report) string {
	var b strings.Builder
	lb, ok := find(report, st.loadBalancer)
	if !ok {
		return "The load balancer is gone. Ctrl-C ends the demo; start it again for another.\n"
	}
	b.WriteString(lb.Render())
	fmt.Fprintf(&b, "\n%s\n", heading.Render("Try, in another terminal"))
	for _, command := range o.commands(c, st, lb) {
		fmt.Fprintf(&b, "  %s\n", command)
	}
	b.WriteString("\nCtrl-C ends the demo.\n")
	return b.String()
}

// commands are the lines to paste.
func (o Options) commands(c *client, st stage, lb status.LoadBalancer) []string {
	var out []string
	if host, port, err := net.SplitHostPort(c.addrs.DNS); err == nil {
		out = append(out, fmt.Sprintf("dig @%s -p %s %s +short", host, port, lb.DNSName))
	}
	for _, n := range lb.Nodes {
		if n.Phase == phaseInService {
			host := lb.DNSName + ":" + strconv.Itoa(int(st.port))
			out = append(out, fmt.Sprintf("curl --resolve %s:%s http://%s/", host, n.Bound, host))
			break // any of them answers
		}
	}
	dir := filepath.Join(o.Config.DataDir, "aws")
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs // the other terminal may be anywhere
	}
	return append(out, fmt.Sprintf("AWS_CONFIG_FILE=%s AWS_SHARED_CREDENTIALS_FILE=%s aws elbv2 describe-load-balancers",
		quoted(filepath.Join(dir, "config")), quoted(filepath.Join(dir, "credentials"))))
}

// quoted returns a path as a shell word.
func quoted(path string) string {
	special := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("/._-+", r)
	}
	if path != "" && !strings.ContainsFunc(path, special) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
