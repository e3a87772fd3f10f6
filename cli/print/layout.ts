import type { Io } from '../io.ts';
import { paintOn } from './colour.ts';
import type { TableLayout } from './table.ts';

/** As wide as the terminal, as COLUMNS says, or as need be. */
export const layoutOf = (io: Io, showHeaders = true): TableLayout => ({
  showHeaders,
  width: io.stdout.isTTY ? io.stdout.columns : io.environment.columns,
  paint: paintOn(io.stdout, io),
});
