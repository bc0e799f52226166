package conformance

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// A row that no subtest meets would never be noticed otherwise.
func TestEveryRowOfTheTableIsMet(t *testing.T) {
	t.Parallel()
	for i, r := range Cannot {
		met := false
		for _, p := range Protos {
			for _, k := range bodyKinds() {
				for _, filters := range Filters {
					for _, s := range scenarios {
						c := combination{proto: p.Name, body: k.name, filters: filters, scenario: s.name}
						met = met || (k.binary || !s.binary) && c.refusal() == &Cannot[i]
					}
				}
			}
		}
		if !met || r.Why == "" {
			t.Errorf("row %d applies to nothing or explains nothing: %+v", i, r)
		}
	}
}
