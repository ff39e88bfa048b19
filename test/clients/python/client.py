"""Drives a gateway with the official Python SDK (google-genai), and with openai where it is installed. Prints one line of JSON per check.

Environment: BASE_URL and API_KEY of the gateway; LIVE_URL, the https address of another, since Live insists on wss.
The emulator behind the gateway fails by model: gemini-2.0-flash answers 503, gemini-2.0-flash-lite 429, gemini-3.8-flash cuts its streams,
gemini-3.7-flash stalls in them.
"""

import asyncio
import io
import json
import os
import sys
import tempfile
import traceback

from google import genai
from google.genai import errors, types

try:
    import openai
except ImportError:
    openai = None

BASE_URL = os.environ['BASE_URL']
API_KEY = os.environ['API_KEY']
LIVE_URL = os.environ['LIVE_URL']
MODEL = 'gemini-2.5-flash'
LARGE = os.urandom(17 * 2**20 + 12_345)

client = genai.Client(api_key=API_KEY, http_options=types.HttpOptions(base_url=BASE_URL))


def generate():
    answer = client.models.generate_content(model=MODEL, contents='Who was Castor?')
    assert answer.text
    assert answer.usage_metadata.total_token_count > 0


def stream():
    pieces = [chunk.text or '' for chunk in client.models.generate_content_stream(model=MODEL, contents='Who was Pollux?')]
    assert len(pieces) > 1 and ''.join(pieces)


def chat():
    talk = client.chats.create(model=MODEL)
    assert talk.send_message('Who was Leda?').text
    assert ''.join(chunk.text or '' for chunk in talk.send_message_stream('And her sons?'))


def call_functions_automatically():
    asked = []

    def get_weather(city: str) -> dict:
        """Weather of a city."""
        asked.append(city)
        return {'sky': 'clear'}

    config = types.GenerateContentConfig(tools=[get_weather])
    answer = client.models.generate_content(model='gemini-3.5-flash', contents='What is the weather in Sparta?', config=config)
    assert len(asked) == 1 and answer.text


def json_by_a_schema():
    schema = {'type': 'OBJECT', 'properties': {'name': {'type': 'STRING'}, 'age': {'type': 'INTEGER'}}, 'required': ['name', 'age']}
    config = types.GenerateContentConfig(response_mime_type='application/json', response_schema=schema)
    value = json.loads(client.models.generate_content(model=MODEL, contents='Name one twin and her age', config=config).text)
    assert isinstance(value['name'], str) and isinstance(value['age'], int)


def embeddings_and_tokens():
    embedded = client.models.embed_content(model='gemini-embedding-001', contents=['one', 'two'])
    assert len(embedded.embeddings) == 2 and len(embedded.embeddings[0].values) > 100
    assert client.models.count_tokens(model=MODEL, contents='Count me, please').total_tokens > 1


def models():
    assert f'models/{MODEL}' in [model.name for model in client.models.list(config={'page_size': 5})]
    assert client.models.get(model=MODEL).name == f'models/{MODEL}'


def files():
    config = types.UploadFileConfig(mime_type='video/mp4', display_name='large')
    file = client.files.upload(file=io.BytesIO(LARGE), config=config)
    assert file.size_bytes == len(LARGE)
    assert client.files.get(name=file.name).display_name == 'large'
    assert file.name in [one.name for one in client.files.list()]
    answer = client.models.generate_content(model=MODEL, contents=[file, 'What is in it?'])
    assert answer.text
    client.files.delete(name=file.name)


def a_file_from_disk():
    with tempfile.NamedTemporaryFile(suffix='.txt') as small:
        small.write(b'Castor')
        small.flush()
        file = client.files.upload(file=small.name)
    assert file.size_bytes == 6


def caches():
    config = types.CreateCachedContentConfig(display_name='twins', ttl='600s', contents=['Castor and Pollux are twins. ' * 2000])
    cache = client.caches.create(model=MODEL, config=config)
    used = client.models.generate_content(
        model=MODEL, contents='What are they?', config=types.GenerateContentConfig(cached_content=cache.name)
    )
    assert used.usage_metadata.cached_content_token_count > 1000
    client.caches.update(name=cache.name, config=types.UpdateCachedContentConfig(ttl='900s'))
    assert cache.name in [one.name for one in client.caches.list()]
    client.caches.delete(name=cache.name)
    raises(403, lambda: client.caches.get(name=cache.name))


def batches():
    requests = [{'contents': [{'role': 'user', 'parts': [{'text': text}]}]} for text in ('one', 'two')]
    job = client.batches.create(model=MODEL, src=requests)
    for _ in range(10):
        job = client.batches.get(name=job.name)
        if job.state == types.JobState.JOB_STATE_SUCCEEDED:
            break
    assert len(job.dest.inlined_responses) == 2
    other = client.batches.create(model=MODEL, src=requests)
    client.batches.cancel(name=other.name)
    assert client.batches.get(name=other.name).state == types.JobState.JOB_STATE_CANCELLED
    client.batches.delete(name=job.name)


def interactions():
    first = client.interactions.create(model=MODEL, input='Who was Castor?')
    assert first.status == 'completed'
    events = [event.event_type for event in client.interactions.create(model=MODEL, input='And Pollux?', stream=True)]
    assert events[0] == 'interaction.created' and events[-1] == 'interaction.completed', events
    client.interactions.delete(first.id)


def typed_errors():
    raises(404, lambda: client.models.generate_content(model='gemini-0-none', contents='?'))
    raises(503, lambda: client.models.generate_content(model='gemini-2.0-flash', contents='?'), errors.ServerError)
    quota = raises(429, lambda: client.models.generate_content(model='gemini-2.0-flash-lite', contents='?'))
    assert 'RetryInfo' in json.dumps(quota.details)
    raises(503, lambda: list(client.models.generate_content_stream(model='gemini-2.0-flash', contents='?')), errors.ServerError)
    stranger = genai.Client(api_key='bad-key', http_options=types.HttpOptions(base_url=BASE_URL))
    error = raises(None, lambda: stranger.models.generate_content(model=MODEL, contents='?'))
    assert error.code in (400, 401), error


def a_cut_stream_raises():
    pieces = []
    try:
        for chunk in client.models.generate_content_stream(model='gemini-3.8-flash', contents='Tell me much'):
            pieces.append(chunk)
    except Exception:
        assert pieces
        return
    raise AssertionError('a truncated answer passed for a whole one')


def leaving_a_stream():
    pieces = client.models.generate_content_stream(model='gemini-3.7-flash', contents='Tell me more')
    next(pieces)
    pieces.close()


def asynchronously():
    async def all_of_it():
        # Of its own: the connections belong to this event loop.
        aio = genai.Client(api_key=API_KEY, http_options=types.HttpOptions(base_url=BASE_URL)).aio
        assert (await aio.models.generate_content(model=MODEL, contents='Who was Helen?')).text
        pieces = [chunk.text or '' async for chunk in await aio.models.generate_content_stream(model=MODEL, contents='And Leda?')]
        assert ''.join(pieces)
        file = await aio.files.upload(file=io.BytesIO(LARGE), config=types.UploadFileConfig(mime_type='video/mp4'))
        assert file.size_bytes == len(LARGE)
        await aio.files.delete(name=file.name)

    asyncio.run(all_of_it())


def live():
    async def talk():
        speaker = genai.Client(api_key=API_KEY, http_options=types.HttpOptions(base_url=LIVE_URL))
        config = types.LiveConnectConfig(response_modalities=[types.Modality.TEXT])
        async with speaker.aio.live.connect(model='gemini-live-2.5-flash-preview', config=config) as session:
            turn = types.Content(role='user', parts=[types.Part(text='Who was Castor?')])
            await session.send_client_content(turns=turn, turn_complete=True)
            text = ''
            async for message in session.receive():
                text += message.text or ''
            assert text

    asyncio.run(talk())


def openai_surface():
    compatible = openai.OpenAI(api_key=API_KEY, base_url=f'{BASE_URL}/v1beta/openai/', max_retries=0)
    question = [{'role': 'user', 'content': 'Who were the Dioscuri?'}]
    answer = compatible.chat.completions.create(model=MODEL, messages=question)
    assert answer.choices[0].message.content and answer.usage.total_tokens > 0
    chunks = list(compatible.chat.completions.create(model=MODEL, messages=question, stream=True))
    assert ''.join(chunk.choices[0].delta.content or '' for chunk in chunks)
    assert len(compatible.embeddings.create(model='gemini-embedding-001', input=['one', 'two']).data) == 2
    assert f'models/{MODEL}' in [model.id for model in compatible.models.list()]
    for model, kind in (('gemini-2.0-flash', openai.InternalServerError), ('gemini-2.0-flash-lite', openai.RateLimitError)):
        try:
            compatible.chat.completions.create(model=model, messages=question)
        except kind:
            continue
        raise AssertionError(f'no {kind}')
    try:
        list(compatible.chat.completions.create(model='gemini-3.8-flash', messages=question, stream=True))
    except Exception:
        return
    raise AssertionError('a truncated answer passed for a whole one')


def raises(code, call, kind=errors.APIError):
    try:
        call()
    except kind as error:
        assert code is None or error.code == code, error
        return error
    raise AssertionError(f'no {code}')


CHECKS = [
    generate,
    stream,
    chat,
    call_functions_automatically,
    json_by_a_schema,
    embeddings_and_tokens,
    models,
    files,
    a_file_from_disk,
    caches,
    batches,
    interactions,
    typed_errors,
    a_cut_stream_raises,
    leaving_a_stream,
    asynchronously,
    live,
]

if openai:
    CHECKS.append(openai_surface)

for check in CHECKS:
    try:
        check()
        failure = None
    except Exception:
        failure = traceback.format_exc()
    print(json.dumps({'check': check.__name__.replace('_', ' '), 'failure': failure}), flush=True)

print(json.dumps({'version': genai.__version__, 'checks': len(CHECKS)}))
sys.exit(0)
