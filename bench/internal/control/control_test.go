package control

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestWhatIsSentIsAwaited(t *testing.T) {
	t.Parallel()
	var wire bytes.Buffer
	out := New(strings.NewReader(""), &wire)
	type value struct {
		Text string
		N    int
	}
	want := value{"a\nb", 7}
	if err := out.Send("one", want); err != nil {
		t.Fatal(err)
	}
	wire.WriteString("a library says something\n@benchmark is no mark\n")
	if err := out.Send("two", nil); err != nil {
		t.Fatal(err)
	}
	in := New(&wire, io.Discard)
	var got value
	if err := in.Await("one", &got); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if err := in.Await("two", nil); err != nil {
		t.Error(err)
	}
	if err := in.Await("three", nil); !errors.Is(err, io.EOF) {
		t.Errorf("the end is %v", err)
	}
}

func TestAnotherWordIsRefused(t *testing.T) {
	t.Parallel()
	in := New(strings.NewReader("@bench one 1\n@bench two x\n"), io.Discard)
	if err := in.Await("two", nil); err == nil || !strings.Contains(err.Error(), `"one"`) {
		t.Errorf("got %v", err)
	}
	var n int
	if err := in.Await("two", &n); err == nil {
		t.Error("took x for a number")
	}
}

func FuzzNext(f *testing.F) {
	f.Add("@bench ready {}\n")
	f.Add("noise\n@bench \n")
	f.Fuzz(func(t *testing.T, text string) {
		in := New(strings.NewReader(text), io.Discard)
		for lines := 0; ; lines++ {
			word, _, err := in.Next()
			if err != nil {
				return
			}
			if strings.ContainsAny(word, " \n") {
				t.Errorf("%q is no word", word)
			}
			if lines > len(text) {
				t.Fatal("more lines than there are")
			}
		}
	})
}
