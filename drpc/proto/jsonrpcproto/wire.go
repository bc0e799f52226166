package jsonrpcproto

// Request is a request as it stands on the wire. This package writes and reads lines by hand; the types are for
// programs that speak to a peer in another way.
type Request struct {
	Jsonrpc string      `json:"jsonrpc"`
	Method  string      `json:"method"`
	Params  interface{} `json:"params"`
	Id      int64       `json:"id"`
	Context interface{} `json:"context"`
}

// Response is a successful response as it stands on the wire.
type Response struct {
	Jsonrpc string      `json:"jsonrpc"`
	Id      int64       `json:"id"`
	Result  interface{} `json:"result"`
	Context interface{} `json:"context"`
}

// ErrorData is what programs may put into the data of an error. The protocol itself does not.
type ErrorData struct {
	Code    int32  `json:"code"`
	Message string `json:"message"`
	Class   string `json:"class"`
}

// ErrorStruct is the error of an ErrorResponse: code and message of the status, its cause as data.
type ErrorStruct struct {
	Code    int32       `json:"code"`
	Message string      `json:"message"`
	Data    interface{} `json:"data"`
}

// ErrorResponse is a failed response as it stands on the wire.
type ErrorResponse struct {
	Jsonrpc string      `json:"jsonrpc"`
	Id      int64       `json:"id"`
	Context interface{} `json:"context"`
	Error   ErrorStruct `json:"error"`
}
