package jsonrpcproto

// Request is a request as it stands on the wire. This package writes and reads lines by hand; the types are for
// programs that speak to a peer in another way.
type Request struct {
	Jsonrpc string      `json:"jsonrpc"` // "2.0"
	Method  string      `json:"method"`  // the service method
	Params  interface{} `json:"params"`  // the body
	Id      int64       `json:"id"`      // the sequence number; a push has none
	Context interface{} `json:"context"` // the meta, of peers of this module
}

// Response is a successful response as it stands on the wire.
type Response struct {
	Jsonrpc string      `json:"jsonrpc"` // "2.0"
	Id      int64       `json:"id"`      // that of the request
	Result  interface{} `json:"result"`  // the body
	Context interface{} `json:"context"` // the meta, as in Request
}

// ErrorData is what programs may put into the data of an error. The protocol itself does not.
type ErrorData struct {
	Code    int32  `json:"code"`    // for programs to choose
	Message string `json:"message"` // for people
	Class   string `json:"class"`   // for programs to choose
}

// ErrorStruct is the error of an ErrorResponse: code and message of the status, its cause as data.
type ErrorStruct struct {
	Code    int32       `json:"code"`    // that of the status
	Message string      `json:"message"` // that of the status
	Data    interface{} `json:"data"`    // the cause of the status
}

// ErrorResponse is a failed response as it stands on the wire.
type ErrorResponse struct {
	Jsonrpc string      `json:"jsonrpc"` // "2.0"
	Id      int64       `json:"id"`      // that of the request
	Context interface{} `json:"context"` // the meta, as in Request
	Error   ErrorStruct `json:"error"`   // what went wrong
}
