// Package ignorecase is a plugin for the receiving side that finds the handler of a call or push whatever the case of the
// letters in its service method: "/Math/ADD" reaches the handler of "/math/add".
//
// A plugin has no state of a message and may be used concurrently. Each endpoint needs one of its own.
package ignorecase
