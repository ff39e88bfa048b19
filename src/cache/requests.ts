/**
 * The messages of the request bodies that are cached, after googleapis `google/ai/generativelanguage` and the types of
 * @google/genai 3.1. A field Google adds later is unknown here: it stays in the key verbatim, which costs a miss
 * between two spellings and never a wrong hit.
 */
import { data, dropped, kept, lenient, list, type Message, many, one, proto, record, type Shape } from './shapes.ts'

const schema: Message = proto(
  'type format title description nullable example default maxItems minItems maxProperties minProperties minLength maxLength pattern minimum maximum ref',
  {
    enum: list,
    required: list,
    propertyOrdering: list,
    items: one((): Shape => schema),
    anyOf: many((): Shape => schema),
    properties: one((): Shape => ({ kind: 'map', of: () => schema })),
    defs: one((): Shape => ({ kind: 'map', of: () => schema })),
    example: kept,
    default: kept,
  },
)

const blob = proto('mimeType data displayName')
const file = proto('mimeType fileUri displayName')

const part: Message = proto('text thought thoughtSignature', {
  mediaResolution: one(() => proto('level numTokens')),
  toolCall: one(() => proto('id toolType', { args: data })),
  toolResponse: one(() => proto('id toolType', { response: data })),
  inlineData: one(() => blob),
  fileData: one(() => file),
  functionCall: one(() => proto('id name willContinue', { args: data })),
  functionResponse: one(() =>
    proto('id name scheduling willContinue', { response: data, parts: many((): Shape => part) }),
  ),
  executableCode: one(() => proto('language code')),
  codeExecutionResult: one(() => proto('outcome output')),
  videoMetadata: one(() => proto('startOffset endOffset fps')),
  partMetadata: data,
})

const content = proto('role', { parts: lenient(() => part) })

const declaration = proto('name description behavior', {
  parameters: one(() => schema),
  response: one(() => schema),
  parametersJsonSchema: kept,
  responseJsonSchema: kept,
})

const tool = proto('', {
  functionDeclarations: many(() => declaration),
  googleSearch: one(() => proto('blockingConfidence', { excludeDomains: list })),
  googleSearchRetrieval: one(() => proto('', { dynamicRetrievalConfig: one(() => proto('mode dynamicThreshold')) })),
  googleMaps: one(() => proto('enableWidget')),
  fileSearch: one(() => proto('metadataFilter topK', { fileSearchStoreNames: list })),
  computerUse: one(() => proto('environment', { excludedPredefinedFunctions: list })),
  urlContext: one(() => proto('')),
  codeExecution: one(() => proto('')),
})

const toolConfig = proto('includeServerSideToolInvocations', {
  functionCallingConfig: one(() => proto('mode streamFunctionCallArguments', { allowedFunctionNames: list })),
  retrievalConfig: one(() => proto('languageCode', { latLng: one(() => proto('latitude longitude')) })),
})

const voice = proto('', { prebuiltVoiceConfig: one(() => proto('voiceName')) })
const speaker = proto('speaker', { voiceConfig: one(() => voice) })
const speech = proto('languageCode', {
  voiceConfig: one(() => voice),
  multiSpeakerVoiceConfig: one(() => proto('', { speakerVoiceConfigs: many(() => speaker) })),
})

const generationConfig = proto(
  'temperature topP topK seed candidateCount maxOutputTokens presencePenalty frequencyPenalty responseLogprobs logprobs responseMimeType mediaResolution audioTimestamp enableAffectiveDialog enableEnhancedCivicAnswers',
  {
    stopSequences: list,
    responseModalities: list,
    responseSchema: one(() => schema),
    responseJsonSchema: kept,
    thinkingConfig: one(() => proto('includeThoughts thinkingBudget thinkingLevel')),
    imageConfig: one(() => proto('aspectRatio imageSize personGeneration outputMimeType outputCompressionQuality')),
    speechConfig: one(() => speech),
  },
)

/** GenerateContentRequest. `labels` is for Google's bill only (Vertex) and does not reach the answer. */
export const generate = proto('model cachedContent serviceTier store continuationToken', {
  contents: many(() => content),
  systemInstruction: one(() => content),
  tools: many(() => tool),
  toolConfig: one(() => toolConfig),
  safetySettings: many(() => proto('category threshold method')),
  generationConfig: one(() => generationConfig),
  labels: dropped,
})

export const count = proto('model', {
  contents: many(() => content),
  systemInstruction: one(() => content),
  tools: many(() => tool),
  generationConfig: one(() => generationConfig),
  generateContentRequest: one(() => generate),
})

export const embed = proto('model taskType title outputDimensionality', { content: one(() => content) })

export const batchEmbed = proto('', { requests: many(() => embed) })

/** OpenAI's chat completion: plain JSON; what is under a field not named here is kept as written. */
export const chat = record(
  'model temperature top_p n max_tokens max_completion_tokens seed presence_penalty frequency_penalty user reasoning_effort service_tier store logprobs top_logprobs parallel_tool_calls tool_choice stop modalities stream',
  {
    messages: many(() =>
      record('role content name tool_call_id refusal', {
        tool_calls: many(() => record('id type index', { function: one(() => record('name arguments')) })),
      }),
    ),
    tools: many(() => record('type', { function: one(() => record('name description strict', { parameters: kept })) })),
    response_format: one(() =>
      record('type', { json_schema: one(() => record('name description strict', { schema: kept })) }),
    ),
    stream_options: one(() => record('include_usage')),
  },
)

export const embeddings = record('model input encoding_format dimensions user')

/** Anything else: names of the top level in any order, the rest as written. */
export const unknown = record('')
