"""Both metrics over real processes: each image counts once, a process without images takes part."""

import socket

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from rmlr_lightning.metrics import HICODetMeanAP, VCOCORoleAP
from tests.metrics import tiny_worlds as worlds
from tests.metrics.test_vcoco_metric import as_they_are, item, official, target, truth_of


def hicodet_metric(world, numbers):
    metric = HICODetMeanAP(worlds.VOCABULARY)
    for i in numbers:
        metric.update(
            [worlds.detections(world[i][1])], [worlds.target(i, world[i][0], world[i][2])]
        )
    return metric


def vcoco_world():
    """Five images; the persons of the last are not annotated."""
    person = ((0, 0, 6, 6), True, [(True, 0, -1), (True, -1, -1), (True, 1, -1)], 9)
    other = (*person[:1], False, *person[2:])
    others = [(0, 0, 4, 4), (2, 2, 4, 4), (1, 1, 5, 5)]
    return [([person] * (i % 3) if i < 4 else [other], others, []) for i in range(5)]


def vcoco_metric(files, numbers):
    metric = VCOCORoleAP(truth_of(files), roles_of=as_they_are)
    for i in numbers:
        rows = [
            ((0, 0, 5, 5), (0, 0, 3, 3 + i % 2), 0, role, 0.5 + 0.1 * (i % 2)) for role in (0, 1)
        ]
        rows += [((0, 0, 5, 5), (2, 2, 5, 5), 2, 1, 0.5)] * 2
        metric.update([item(files["ids"][i], rows)], [target(files["ids"][i])])
    return metric


def part_of(rank, size, total, padded):
    numbers = list(range(total))
    if size == 3 and not padded:  # the last process has no images at all
        return numbers[rank::2] if rank < 2 else []
    if padded:  # as a sampler that repeats images until the processes have as many
        numbers += numbers[: -total % size]
    return numbers[rank::size]


def work(rank, size, port, expected):
    dist.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=size
    )
    try:
        world, files = worlds.random_world(0, 11), official(vcoco_world())
        for padded in (False, True):
            metric = hicodet_metric(world, part_of(rank, size, 11, padded))
            roles = vcoco_metric(files, part_of(rank, size, 5, padded))
            # The first compute gathers; the second must start from each process's own states.
            for _ in range(2):
                found = {
                    **metric.per_class(),
                    **metric.compute(),
                    **roles.per_class(),
                    **roles.compute(),
                }
                for name, value in expected.items():
                    assert torch.equal(found[name].nan_to_num(-1), value.nan_to_num(-1)), (
                        name,
                        padded,
                    )
                metric._computed = roles._computed = None
    finally:
        dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 3])
def test_processes_agree_with_one(size):
    metric = hicodet_metric(worlds.random_world(0, 11), range(11))
    roles = vcoco_metric(official(vcoco_world()), range(5))
    expected = {**metric.per_class(), **metric.compute(), **roles.per_class(), **roles.compute()}
    assert 0 < expected["map_full"] < 1 and 0 < expected["role_ap_s1_official"] < 1
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(work, args=(size, port, expected), nprocs=size)
