// Package diagram draws the Mermaid diagrams of the documents as SVG, so that the site needs no script and no network. It
// knows what the documents use and no more: flow charts whose boxes stand in rows, and sequence diagrams of calls and notes.
// Anything else is an error, which fails the build of the site.
//
// The pictures take their colours from the page they are put into: --text, --soft, --line and --shade.
//
// The package keeps no state; its functions may be used concurrently.
package diagram
