/** LangChain for JavaScript (@langchain/google-genai). */
import { AIMessage, HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages'
import { ChatGoogleGenerativeAI, GoogleGenerativeAIEmbeddings } from '@langchain/google-genai'
import t, { type Test } from 'tap'
import { gateway } from './helper.ts'

const setUp = async (t: Test, model = 'gemini-2.5-flash') => {
  const gate = await gateway(t)
  return { ...gate, chat: new ChatGoogleGenerativeAI({ model, apiKey: 'a-key', baseUrl: gate.url, maxRetries: 0 }) }
}

t.test('@langchain/google-genai chats and streams with usage', async (t) => {
  const { chat, emulator } = await setUp(t)
  const history = [new SystemMessage('Be brief.'), new HumanMessage('Who was Castor?')]
  const answer = await chat.invoke(history)
  t.match(answer.text, /\w/)
  t.equal(answer.usage_metadata?.total_tokens, emulator.calls[0]?.usage?.totalTokens)
  const turns = [...history, new AIMessage(answer.text), new HumanMessage('And Pollux?')]
  let text = ''
  for await (const chunk of await chat.stream(turns)) text += chunk.text
  t.match(text, /\w/)
})

t.test('@langchain/google-genai makes the function calling round trip', async (t) => {
  const { chat } = await setUp(t)
  const schema = { type: 'object', properties: { city: { type: 'string' } } }
  const withTools = chat.bindTools([{ name: 'get_weather', description: 'Weather of a city', schema }])
  const question = new HumanMessage('What is the weather in Sparta?')
  const asked = await withTools.invoke([question])
  const [call] = asked.tool_calls ?? []
  t.equal(call?.name, 'get_weather')
  const result = new ToolMessage({ content: 'clear', name: 'get_weather', tool_call_id: call?.id ?? '' })
  t.match((await withTools.invoke([question, asked, result])).text, /\w/)
})

t.test('@langchain/google-genai gets an object by a schema', async (t) => {
  const { chat } = await setUp(t)
  const schema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] }
  const value = await chat.withStructuredOutput(schema, { method: 'jsonSchema' }).invoke('Name one twin')
  t.type(value.name, 'string')
})

t.test('@langchain/google-genai embeds', async (t) => {
  const { url } = await setUp(t)
  const embedder = new GoogleGenerativeAIEmbeddings({ model: 'gemini-embedding-001', apiKey: 'a-key', baseUrl: url })
  t.ok((await embedder.embedQuery('one')).length > 100)
  t.equal((await embedder.embedDocuments(['one', 'two'])).length, 2)
})
