// Every route of the admin API, in the order of the documentation. A domain with something to show or to do adds its routes here, and
// they are guarded, audited, checked against their schemas and documented like all others.
import type { AdminRoute } from './route.ts'
import { showAudit } from './routes/audit.ts'
import { forceBreaker } from './routes/breaker.ts'
import { cleanCache, optimizeCache, showCache } from './routes/cache.ts'
import { reloadConfig, showConfig } from './routes/config.ts'
import { showHealth } from './routes/health.ts'
import { runJob, showJobs } from './routes/jobs.ts'
import { generateReport } from './routes/report.ts'
import { showStatus } from './routes/status.ts'
import { showSuggestions } from './routes/suggestions.ts'
import { exportUsage } from './routes/usage.ts'

export const adminRoutes: readonly AdminRoute[] = [
  showStatus,
  showHealth,
  forceBreaker,
  showConfig,
  reloadConfig,
  showAudit,
  showCache,
  cleanCache,
  optimizeCache,
  generateReport,
  showSuggestions,
  exportUsage,
  showJobs,
  runJob,
]
