/** Starts the files that take longest first, so that the workers of a run end together. */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Whole servers, browsers and processes, or every case of a large table: half a minute a file. The others take seconds. */
const long =
  /\/test\/(integration|executor|start|drivers\/process|client\/docs|api\/(graphiql|hostile-text|slow-consumers)|store\/(data-directory|epoch|kills|open|refusals))\b/;

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) => long.test(moduleId);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}
