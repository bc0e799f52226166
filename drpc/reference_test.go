package drpc

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/osgochina/dmicro/internal/marked"
)

func TestHookReferenceIsTheTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("| interface | when | plugins of | if it fails |\n|---|---|---|---|\n")
	for _, hook := range hookTable {
		scope := "the endpoint"
		if hook.scope == routeScope {
			scope = "the endpoint, its groups and the handler"
		}
		fmt.Fprintf(&b, "| `drpc.%sPlugin` | %s | %s | %s |\n", hook.name, hook.when, scope, hook.effect)
	}
	marked.Check(t, "../docs/drpc.md", "hooks", b.String(), *updateGolden)
}

// hookLines are the hooks of one side in the golden trace of a call.
func hookLines(t *testing.T, side string) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/hooks/call.golden")
	if err != nil {
		t.Fatal(err)
	}
	_, lines, ok := strings.Cut("\n"+string(text), "\n"+side+"\n")
	if !ok {
		t.Fatalf("the trace has no side %q", side)
	}
	var hooks []string
	for line := range strings.Lines(lines) {
		if !strings.HasPrefix(line, "\t") {
			break
		}
		hooks = append(hooks, strings.Fields(line)[0])
	}
	return hooks
}

func TestSequenceOfACallIsTheTrace(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, "    "+format+"\n", args...) }
	hooks := func(side string, list []string) {
		for _, hook := range list {
			say("%s->>%s: %s", side, side, hook)
		}
	}
	client, server := hookLines(t, "client"), hookLines(t, "server")
	answered := slices.Index(client, "AfterReadReplyHeader")
	replied := slices.Index(server, "BeforeWriteReply")
	if answered < 1 || replied < 1 {
		t.Fatalf("client %v, server %v", client, server)
	}
	b.WriteString("```mermaid\nsequenceDiagram\n")
	say("participant C as caller")
	say("participant S as server")
	hooks("C", client[:1])
	say("C->>S: CALL: header, meta, body")
	hooks("C", client[1:answered])
	hooks("S", server[:replied])
	say("Note over S: handler")
	hooks("S", server[replied:replied+1])
	say("S->>C: REPLY: status, meta, body")
	hooks("S", server[replied+1:])
	hooks("C", client[answered:])
	b.WriteString("```\n")
	marked.Check(t, "../docs/architecture.md", "call", b.String(), *updateGolden)
}

func TestConfigurationReferenceIsTheStruct(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	config, ok := file.Scope.Lookup("EndpointConfig").Decl.(*ast.TypeSpec).Type.(*ast.StructType)
	if !ok {
		t.Fatal("EndpointConfig is no struct")
	}
	var b strings.Builder
	b.WriteString("| field | in JSON | type | meaning |\n|---|---|---|---|\n")
	for _, f := range config.Fields.List {
		name := f.Names[0].Name
		if !ast.IsExported(name) {
			continue
		}
		tag, err := strconv.Unquote(f.Tag.Value)
		if err != nil {
			t.Fatal(err)
		}
		meaning, named := strings.CutPrefix(strings.Join(strings.Fields(f.Doc.Text()), " "), name+" ")
		if !named {
			t.Errorf("the comment of %s does not begin with its name", name)
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", name, reflect.StructTag(tag).Get("json"), types.ExprString(f.Type),
			strings.TrimPrefix(meaning, "is "))
	}
	marked.Check(t, "../docs/configuration.md", "endpoint", b.String(), *updateGolden)
}
