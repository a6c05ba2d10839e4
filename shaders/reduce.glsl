// Sums and maxima over a workgroup. Every invocation must call these, and gets the
// result. Each invocation reads all partial results itself: workgroups that reduce are
// small, and this takes two barriers instead of two per halving.

shared float reduce_partial[LOCAL_SIZE];

void reduce_share(float x)
{
    barrier(); // until here others may still be reading the last reduction
    reduce_partial[gl_LocalInvocationIndex] = x;
    barrier();
}

float reduce_sum(float x)
{
    reduce_share(x);
    float sum = 0.0;
    for (int i = 0; i < LOCAL_SIZE; i++)
        sum += reduce_partial[i];
    return sum;
}

float reduce_max(float x)
{
    reduce_share(x);
    float most = reduce_partial[0];
    for (int i = 1; i < LOCAL_SIZE; i++)
        most = max(most, reduce_partial[i]);
    return most;
}
