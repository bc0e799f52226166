// Package docs keeps the documents of this module true: it compiles every Go snippet, follows every relative link, looks up
// every name, path, command and make target that README and docs mention, wants figures to say where they come from, and
// translations to have what the original has. CheckGodoc does
// the same for the comments in the code: every public package has one and an example, every exported name has one.
//
// A fence that begins with ```go and a package clause is a complete program and compiles as it stands. Other Go
// fences say what they are, after the word go, which readers do not see:
//
//	```go fragment session     statements, in a function with ctx and what the further words provide
//	```go declarations         declarations of one file, imports left out
//
// The words and what they provide are the table in snippet.go. Fragments may leave variables unused; everything else
// is compiled as the Go compiler would.
//
// The package keeps no state; its functions may be used concurrently.
package docs
