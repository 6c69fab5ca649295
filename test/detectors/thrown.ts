/** What an asynchronous call throws; a test fails where it throws nothing. */
export async function caught(call: () => Promise<unknown>): Promise<Error> {
  try {
    await call();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}
