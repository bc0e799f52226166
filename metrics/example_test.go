package metrics_test

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/osgochina/dmicro/metrics"
)

// Figures of one's own on a page. Package metrics/prometheus does this for endpoints.
func ExampleServe() {
	page, err := metrics.Serve(metrics.Page{
		ContentType: "text/plain",
		Address:     "127.0.0.1:0",
		Path:        "/figures",
		Snapshot:    func(context.Context) ([]byte, error) { return []byte("orders 3\n"), nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer page.Close()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://" + page.Addr().String() + "/figures")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	fmt.Print(string(text))
	fmt.Println(err)
	// Output:
	// orders 3
	// <nil>
}
