import type { House } from '../house.ts'
import { routeEndpoints } from './answer.ts'
import { assetEndpoints } from './dashboard/assets.ts'
import { overviewEndpoints } from './dashboard/overview.ts'
import type { Endpoint } from './endpoint.ts'
import type { Guard } from './guard.ts'
import { adminRoutes } from './routes.ts'
import { signInEndpoints } from './sign-in.ts'

/** Everything that answers below the prefix. */
export function adminEndpoints(house: House, guard: Guard): Endpoint[] {
  return [
    ...overviewEndpoints(adminRoutes, house),
    ...signInEndpoints(guard, house.settings),
    ...assetEndpoints(),
    ...adminRoutes.flatMap((route) => routeEndpoints(route, house)),
  ]
}
