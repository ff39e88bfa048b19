import { writeFileSync } from 'node:fs'
import { Command } from 'commander'
import { configurationDocs } from '../../config/docs.ts'
import { jsonSchemaText } from '../../config/jsonschema.ts'
import { adminDocs } from '../admin/docs.ts'
import { adminRoutes } from '../admin/routes.ts'
import { errorDocs } from '../gemini/error-docs.ts'

/** Every file that is rendered from the code: path and content. A test says that the committed ones are current. */
export const generatedDocs: readonly (readonly [string, () => string])[] = [
  ['docs/configuration.md', configurationDocs],
  ['docs/gateway.schema.json', jsonSchemaText],
  ['docs/errors.md', errorDocs],
  ['docs/admin.md', () => adminDocs(adminRoutes)],
]

/** `castor docs` (= `npm run docs`): writes the generated documentation of a checkout anew. */
export function docsCommand(): Command {
  return new Command('docs').description('write the generated documentation anew').action(() => {
    for (const [file, render] of generatedDocs) {
      writeFileSync(file, render())
      process.stdout.write(`${file}\n`)
    }
  })
}
