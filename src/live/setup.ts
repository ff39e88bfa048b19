/** The model that the first message of a Live session asks for, without its collection; null when it names none. */
export function modelOfSetup(message: Buffer): string | null {
  try {
    const { setup } = JSON.parse(message.toString()) as { setup?: { model?: unknown } }
    const model = setup?.model
    return typeof model === 'string' && model !== '' ? model.slice(model.lastIndexOf('/') + 1) : null
  } catch {
    return null
  }
}
