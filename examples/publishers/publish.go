package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"time"
)

var client = http.Client{Timeout: 10 * time.Second}

// publish sends the event, and returns the status and the body of the answer, or 503 if there is no answer.
func publish(key string) (int, string) {
	request, err := http.NewRequest("POST", os.Getenv("HUB")+"/channels/foo/broadcast", strings.NewReader("foo=bar"))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("TOKEN"))
	request.Header.Set("Idempotency-Key", key)
	response, err := client.Do(request)
	if err != nil {
		return http.StatusServiceUnavailable, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return http.StatusServiceUnavailable, err.Error()
	}
	return response.StatusCode, string(body)
}

func main() {
	// All attempts have the same key, so the hub publishes the event once.
	random := make([]byte, 16)
	rand.Read(random)
	key := fmt.Sprintf("%x", random)
	for attempt := 0; ; attempt++ {
		status, body := publish(key)
		if status == http.StatusOK {
			fmt.Print(body)
			return
		}
		if attempt == 5 || status != http.StatusTooManyRequests && status < 500 {
			log.Fatal(body)
		}
		time.Sleep(time.Second << attempt)
	}
}
