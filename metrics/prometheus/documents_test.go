package prometheus

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// Documents that use the metrics by name, seen from here.
const (
	dashboardFile = "../../docs/metrics/grafana.json"
	alertsFile    = "../../docs/metrics/alerts.yml"
)

var (
	metricName  = regexp.MustCompile(`\b(?:rpc|go|process)_[a-z_]+\b`)
	labelUse    = regexp.MustCompile(`\{([^{}]*)\}|\bby \(([^()]*)\)`)
	labelOfPair = regexp.MustCompile(`([a-z]+)\s*(?:=|!=|=~|!~)\s*"`)
)

// exported is the metrics that really come out, with their labels.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	names := make(map[string][]string)
	for name, family := range allFamilies(t) {
		var labels []string
		for _, l := range family.Metric[0].Label {
			labels = append(labels, l.GetName())
		}
		names[name] = labels
		if family.Metric[0].Histogram != nil {
			for _, part := range []string{"_bucket", "_sum", "_count"} {
				names[name+part] = append([]string{"le"}, labels...)
			}
		}
	}
	return names
}

// checkExpression holds the names and labels of an expression against what comes out.
func checkExpression(t *testing.T, where, expr string, names map[string][]string) {
	t.Helper()
	used := metricName.FindAllString(expr, -1)
	if len(used) == 0 {
		t.Errorf("%s uses no metric: %s", where, expr)
	}
	var labels []string
	for _, name := range used {
		if _, ok := names[name]; !ok {
			t.Errorf("%s: there is no metric %s", where, name)
		}
		labels = append(labels, names[name]...)
	}
	for _, use := range labelUse.FindAllStringSubmatch(expr, -1) {
		for _, pair := range labelOfPair.FindAllStringSubmatch(use[1], -1) {
			if !slices.Contains(labels, pair[1]) {
				t.Errorf("%s: %v have no label %q", where, used, pair[1])
			}
		}
		for _, l := range strings.FieldsFunc(use[2], func(r rune) bool { return r == ',' || r == ' ' }) {
			if !slices.Contains(labels, l) {
				t.Errorf("%s: %v have no label %q", where, used, l)
			}
		}
	}
	for _, pair := range []string{"()", "{}", "[]"} {
		if strings.Count(expr, pair[:1]) != strings.Count(expr, pair[1:]) {
			t.Errorf("%s: unbalanced %s in %s", where, pair, expr)
		}
	}
}

func TestDashboardUsesMetricsThatExist(t *testing.T) {
	t.Parallel()
	var board struct {
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Definition string }
		}
	}
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	if err = json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	names := exported(t)
	shown := make(map[string]bool)
	ids := make(map[int]bool)
	for _, p := range board.Panels {
		if ids[p.ID] || len(p.Targets) == 0 {
			t.Errorf("panel %q has a number that is taken, or shows nothing", p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			checkExpression(t, p.Title, target.Expr, names)
			for _, name := range metricName.FindAllString(target.Expr, -1) {
				shown[strings.TrimSuffix(name, "_bucket")] = true
			}
		}
	}
	for _, v := range board.Templating.List {
		if v.Definition != "" {
			if name := metricName.FindString(v.Definition); names[name] == nil {
				t.Errorf("variable %s: there is no metric %q", v.Name, name)
			}
		}
	}
	for _, m := range endpointMetrics {
		if !shown[m.name] {
			t.Errorf("the dashboard does not show %s", m.name)
		}
	}
}

func TestAlertsUseMetricsThatExist(t *testing.T) {
	t.Parallel()
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For string
				Labels           map[string]string
				Annotations      map[string]string
			}
		}
	}
	text, err := os.ReadFile(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	if err = yaml.Unmarshal(text, &rules); err != nil {
		t.Fatal(err)
	}
	names := exported(t)
	seen := make(map[string]bool)
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" || seen[r.Alert] || r.For == "" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" {
				t.Errorf("rule %+v is incomplete or there twice", r)
			}
			seen[r.Alert] = true
			checkExpression(t, r.Alert, r.Expr, names)
		}
	}
	if len(seen) == 0 {
		t.Error("there are no rules")
	}
}
