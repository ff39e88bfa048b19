// Drives a gateway with the official Go SDK and prints one line of JSON per check.
//
// Environment: BASE_URL and API_KEY of the gateway; LIVE_URL, the https address of another, since Live insists on wss.
// The emulator behind the gateway fails by model: gemini-2.0-flash answers 503, gemini-2.0-flash-lite 429, gemini-3.8-flash cuts its
// streams, gemini-3.7-flash stalls in them.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"google.golang.org/genai"
)

const model = "gemini-2.5-flash"

var (
	ctx    = context.Background()
	client *genai.Client
)

func main() {
	client = connect(os.Getenv("BASE_URL"), os.Getenv("API_KEY"))
	checks := []struct {
		name string
		run  func() error
	}{
		{"generate", generate},
		{"stream", stream},
		{"chat", chat},
		{"function calling", functionCalling},
		{"json by a schema", jsonBySchema},
		{"embeddings and tokens", embeddingsAndTokens},
		{"models", models},
		{"files", files},
		{"caches", caches},
		{"batches", batches},
		{"typed errors", typedErrors},
		{"a cut stream raises", cutStream},
		{"leaving a stream", leavingStream},
		{"live", live},
	}
	for _, check := range checks {
		var failure *string
		if err := check.run(); err != nil {
			text := err.Error()
			failure = &text
		}
		report(map[string]any{"check": check.name, "failure": failure})
	}
	report(map[string]any{"checks": len(checks)})
}

func report(line map[string]any) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}

func connect(baseURL, key string) *genai.Client {
	made, err := genai.NewClient(ctx, &genai.ClientConfig{
		APIKey:      key,
		Backend:     genai.BackendGeminiAPI,
		HTTPOptions: genai.HTTPOptions{BaseURL: baseURL},
	})
	if err != nil {
		panic(err)
	}
	return made
}

func generate() error {
	answer, err := client.Models.GenerateContent(ctx, model, genai.Text("Who was Castor?"), nil)
	if err != nil {
		return err
	}
	return that(answer.Text() != "" && answer.UsageMetadata.TotalTokenCount > 0, "text and usage")
}

func stream() error {
	text, chunks := "", 0
	for chunk, err := range client.Models.GenerateContentStream(ctx, model, genai.Text("Who was Pollux?"), nil) {
		if err != nil {
			return err
		}
		text += chunk.Text()
		chunks++
	}
	return that(text != "" && chunks > 1, "several chunks")
}

func chat() error {
	talk, err := client.Chats.Create(ctx, model, nil, nil)
	if err != nil {
		return err
	}
	if _, err = talk.SendMessage(ctx, genai.Part{Text: "Who was Leda?"}); err != nil {
		return err
	}
	text := ""
	for chunk, err := range talk.SendMessageStream(ctx, genai.Part{Text: "And her sons?"}) {
		if err != nil {
			return err
		}
		text += chunk.Text()
	}
	return that(text != "" && len(talk.History(false)) >= 4, "two turns")
}

func functionCalling() error {
	city := &genai.Schema{Type: genai.TypeObject, Properties: map[string]*genai.Schema{"city": {Type: genai.TypeString}}}
	weather := &genai.FunctionDeclaration{Name: "get_weather", Description: "Weather of a city", Parameters: city}
	config := &genai.GenerateContentConfig{Tools: []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{weather}}}}
	history := genai.Text("What is the weather in Sparta?")
	asked, err := client.Models.GenerateContent(ctx, "gemini-3.5-flash", history, config)
	if err != nil {
		return err
	}
	calls := asked.FunctionCalls()
	if len(calls) != 1 || calls[0].Name != "get_weather" {
		return fmt.Errorf("called %v", calls)
	}
	result := &genai.FunctionResponse{ID: calls[0].ID, Name: calls[0].Name, Response: map[string]any{"sky": "clear"}}
	history = append(history, asked.Candidates[0].Content, &genai.Content{Role: "user", Parts: []*genai.Part{{FunctionResponse: result}}})
	answer, err := client.Models.GenerateContent(ctx, "gemini-3.5-flash", history, config)
	if err != nil {
		return err
	}
	return that(answer.Text() != "", "an answer to the result")
}

func jsonBySchema() error {
	config := &genai.GenerateContentConfig{
		ResponseMIMEType: "application/json",
		ResponseSchema: &genai.Schema{
			Type:       genai.TypeObject,
			Properties: map[string]*genai.Schema{"name": {Type: genai.TypeString}},
			Required:   []string{"name"},
		},
	}
	answer, err := client.Models.GenerateContent(ctx, model, genai.Text("Name one twin"), config)
	if err != nil {
		return err
	}
	var value struct{ Name *string }
	if err := json.Unmarshal([]byte(answer.Text()), &value); err != nil {
		return err
	}
	return that(value.Name != nil, "a name")
}

func embeddingsAndTokens() error {
	contents := append(genai.Text("one"), genai.Text("two")...)
	embedded, err := client.Models.EmbedContent(ctx, "gemini-embedding-001", contents, nil)
	if err != nil {
		return err
	}
	counted, err := client.Models.CountTokens(ctx, model, genai.Text("Count me, please"), nil)
	if err != nil {
		return err
	}
	return that(len(embedded.Embeddings) == 2 && counted.TotalTokens > 1, "two embeddings and a count")
}

func models() error {
	found := false
	for one, err := range client.Models.All(ctx) {
		if err != nil {
			return err
		}
		found = found || one.Name == "models/"+model
	}
	one, err := client.Models.Get(ctx, model, nil)
	if err != nil {
		return err
	}
	return that(found && one.Name == "models/"+model, "the model")
}

func files() error {
	large := make([]byte, 17<<20+12345)
	if _, err := rand.Read(large); err != nil {
		return err
	}
	file, err := client.Files.Upload(ctx, bytes.NewReader(large), &genai.UploadFileConfig{MIMEType: "video/mp4", DisplayName: "large"})
	if err != nil {
		return err
	}
	if file.SizeBytes == nil || *file.SizeBytes != int64(len(large)) {
		return fmt.Errorf("size %v", file.SizeBytes)
	}
	parts := []*genai.Part{genai.NewPartFromURI(file.URI, file.MIMEType), genai.NewPartFromText("What is in it?")}
	if _, err = client.Models.GenerateContent(ctx, model, []*genai.Content{{Role: "user", Parts: parts}}, nil); err != nil {
		return err
	}
	listed := 0
	for _, err := range client.Files.All(ctx) {
		if err != nil {
			return err
		}
		listed++
	}
	got, err := client.Files.Get(ctx, file.Name, nil)
	if err != nil {
		return err
	}
	if _, err = client.Files.Delete(ctx, file.Name, nil); err != nil {
		return err
	}
	return that(listed == 1 && got.DisplayName == "large", "listed and got")
}

func caches() error {
	text := string(bytes.Repeat([]byte("Castor and Pollux are twins. "), 2000))
	cache, err := client.Caches.Create(ctx, model, &genai.CreateCachedContentConfig{Contents: genai.Text(text), DisplayName: "twins"})
	if err != nil {
		return err
	}
	config := &genai.GenerateContentConfig{CachedContent: cache.Name}
	answer, err := client.Models.GenerateContent(ctx, model, genai.Text("What are they?"), config)
	if err != nil {
		return err
	}
	if _, err = client.Caches.Get(ctx, cache.Name, nil); err != nil {
		return err
	}
	if _, err = client.Caches.Delete(ctx, cache.Name, nil); err != nil {
		return err
	}
	if _, err = client.Caches.Get(ctx, cache.Name, nil); codeOf(err) != 403 {
		return fmt.Errorf("after its deletion: %v", err)
	}
	return that(answer.UsageMetadata.CachedContentTokenCount > 1000, "the cache was used")
}

func batches() error {
	requests := []*genai.InlinedRequest{{Contents: genai.Text("one")}, {Contents: genai.Text("two")}}
	job, err := client.Batches.Create(ctx, model, &genai.BatchJobSource{InlinedRequests: requests}, nil)
	if err != nil {
		return err
	}
	for polls := 0; polls < 10 && job.State != genai.JobStateSucceeded; polls++ {
		if job, err = client.Batches.Get(ctx, job.Name, nil); err != nil {
			return err
		}
	}
	if _, err = client.Batches.Delete(ctx, job.Name, nil); err != nil {
		return err
	}
	return that(job.Dest != nil && len(job.Dest.InlinedResponses) == 2, "two results")
}

func typedErrors() error {
	for failing, code := range map[string]int{"gemini-0-none": 404, "gemini-2.0-flash": 503, "gemini-2.0-flash-lite": 429} {
		_, err := client.Models.GenerateContent(ctx, failing, genai.Text("?"), nil)
		if codeOf(err) != code {
			return fmt.Errorf("%d expected: %v", code, err)
		}
		for _, err = range client.Models.GenerateContentStream(ctx, failing, genai.Text("?"), nil) {
			break
		}
		if codeOf(err) != code {
			return fmt.Errorf("%d expected on a stream: %v", code, err)
		}
	}
	_, err := connect(os.Getenv("BASE_URL"), "bad-key").Models.GenerateContent(ctx, model, genai.Text("?"), nil)
	return that(codeOf(err) == 400 || codeOf(err) == 401, fmt.Sprintf("a refused key, not %v", err))
}

func cutStream() error {
	chunks := 0
	for _, err := range client.Models.GenerateContentStream(ctx, "gemini-3.8-flash", genai.Text("Tell me much"), nil) {
		if err != nil {
			return that(chunks > 0, "chunks before the cut")
		}
		chunks++
	}
	return errors.New("a truncated answer passed for a whole one")
}

func leavingStream() error {
	leaving, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, err := range client.Models.GenerateContentStream(leaving, "gemini-3.7-flash", genai.Text("Tell me more"), nil) {
		return err
	}
	return errors.New("no chunk")
}

func live() error {
	config := &genai.LiveConnectConfig{ResponseModalities: []genai.Modality{genai.ModalityText}}
	session, err := connect(os.Getenv("LIVE_URL"), os.Getenv("API_KEY")).Live.Connect(ctx, "gemini-live-2.5-flash-preview", config)
	if err != nil {
		return err
	}
	defer session.Close()
	if err := session.SendClientContent(genai.LiveClientContentInput{Turns: genai.Text("Who was Castor?")}); err != nil {
		return err
	}
	text := ""
	for {
		message, err := session.Receive()
		if err != nil {
			return err
		}
		if message.ServerContent == nil {
			continue
		}
		if turn := message.ServerContent.ModelTurn; turn != nil {
			for _, part := range turn.Parts {
				text += part.Text
			}
		}
		if message.ServerContent.TurnComplete {
			return that(text != "", "spoken text")
		}
	}
}

func codeOf(err error) int {
	var api genai.APIError
	if errors.As(err, &api) {
		return api.Code
	}
	return 0
}

func that(holds bool, what string) error {
	if holds {
		return nil
	}
	return fmt.Errorf("expected %s", what)
}
