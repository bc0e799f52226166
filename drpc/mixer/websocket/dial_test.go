package websocket

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	gorilla "github.com/gorilla/websocket"
)

func TestHandshakeIsRefusedOnlyByTheServer(t *testing.T) {
	t.Parallel()
	var refused *HandshakeError
	forbidden := &http.Response{StatusCode: http.StatusForbidden, Body: io.NopCloser(strings.NewReader("Forbidden\n"))}
	if err := refusal(forbidden, gorilla.ErrBadHandshake); !errors.As(err, &refused) || *refused != (HandshakeError{403, "Forbidden"}) {
		t.Errorf("a refusal: %v", err)
	}
	// The answer was the right one, but the endpoint was closed at that moment.
	upgraded := &http.Response{StatusCode: http.StatusSwitchingProtocols, Body: http.NoBody}
	for _, resp := range []*http.Response{upgraded, nil} {
		if err := refusal(resp, context.Canceled); errors.As(err, &refused) || !errors.Is(err, context.Canceled) {
			t.Errorf("the end of the endpoint: %v", err)
		}
	}
}
