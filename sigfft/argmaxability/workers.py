"""Workers: processes that work on the items of a sequence, any of which may be killed."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_HOPELESS = 20  # pools that break one after another, without a result of any: the fault is not an item's


def in_order(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    lost: Callable[[Item, Exception], Result] | None,
    n_jobs: int = 1,
    backend: str | None = None,
) -> Iterator[Result]:
    """The result of each item, in order, as they are finished.

    A process that is killed, as one that asks for too much memory is, takes its whole pool with it, and nothing tells
    which item it had. Each item that was begun and not finished is then worked on again, alone; the one that breaks
    its pool once more is lost. The others go on in a new pool.

    Args:
      work: on one item; its own errors, if it raises any, count as a broken pool.
      items: of the work.
      lost: what stands for an item that is lost, from the item and the error; None: the first error is raised.
      n_jobs: processes, as in joblib; with 1 the work is done in this one.
      backend: joblib's.
    """
    results: dict[int, Result] = {}
    suspects: list[int] = []
    following = broken = 0
    while following < len(items):
        if following in results:
            yield results.pop(following)
            following += 1
            continue
        alone, left = suspects[:1], [i for i in range(following, len(items)) if i not in results]
        begun: list[int] = []
        pool = _pool(2 if alone and n_jobs != 1 else n_jobs, backend)  # one process would be this one
        try:
            for i, result in pool(_tasks(work, items, alone or left, begun)):
                results[i], broken = result, 0
                while following in results:
                    yield results.pop(following)
                    following += 1
        except Exception as error:
            if lost is None:
                raise
            broken += 1
            given_up = alone if begun and broken <= _HOPELESS else left
            unfinished = set(left) - results.keys() - set(range(following))
            results |= {i: lost(items[i], error) for i in given_up if i in unfinished}
            suspects = suspects[1:] if alone else [i for i in begun if i in unfinished]
        else:
            suspects = suspects[1:]


def _pool(n_jobs: int, backend: str | None) -> Any:
    import joblib  # a third of a second, which `import sigfft` need not wait for

    return joblib.Parallel(n_jobs=n_jobs, backend=backend, batch_size=1, return_as="generator_unordered")


def _tasks(work: Callable, items: Sequence, chosen: Sequence[int], begun: list[int]) -> Iterator[Any]:
    """The chosen items as joblib's tasks; `begun` tells which of them it has taken."""
    import joblib

    for i in chosen:
        begun.append(i)
        yield joblib.delayed(_numbered)(work, i, items[i])


def _numbered(work: Callable[[Item], Result], i: int, item: Item) -> tuple[int, Result]:
    return i, work(item)
